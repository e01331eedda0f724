import { beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../test/harness/until.ts';
import { FakeController, paged, refused } from '../testing/fake-controller.ts';
import { hasTerminals, runMuster, startOnTerminal } from '../testing/run-muster.ts';
import { sampleDevice } from '../testing/samples.ts';

const all = '/api/v1/organizations/default/devices';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});
const device = (args: string[]) => runMuster(['device', ...args], { url: controller.url });

test('lists devices with filters', async () => {
  controller.on(`GET ${all}`, ({ query }) => ({ body: paged([sampleDevice()], query) }));
  const { stdout } = await device([
    'list',
    '--status',
    'enabled',
    '--label',
    'a=b',
    '--label',
    'c=d',
    '--offline',
    '--drift-status',
    'never_synced',
    '-f',
    'simple',
  ]);
  expect(stdout).toMatch(
    /^NAME +STATUS +LINK +DRIFT +VERSION .*\nedge-1 +ENABLED +online +NEVER_SYNCED +0\.1\.0 .* site=berlin\n$/,
  );
  expect(controller.seen[0]?.query).toMatchObject({
    status: 'ENABLED',
    label: 'a=b,c=d',
    online: 'false',
    drift_status: 'NEVER_SYNCED',
  });
});

test('approves one device, and shows a quarantine', async () => {
  controller.on(`POST ${all}/edge-1/approve`, {
    body: sampleDevice({ quarantine_reason: 'two agents use its key' }),
  });
  const { exitCode, stdout } = await device(['approve', 'edge-1']);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/Link: +quarantined\nQuarantined because: +two agents use its key\n/);
});

test.each([
  [{ timezone: 'Asia/Tokyo' }, 'Timezone: +Asia/Tokyo\n'],
  [
    { timezone: null, facts: { timezone: 'Not/AZone' } },
    'Timezone: +unknown: "Not/AZone" is no time zone, counts as UTC\n',
  ],
  [{ timezone: null, facts: null }, 'Timezone: +unknown, counts as UTC\n'],
])('describes where %j is', async (over, shown) => {
  controller.on(`GET ${all}/edge-1`, { body: sampleDevice(over) });
  expect((await device(['describe', 'edge-1'])).stdout).toMatch(new RegExp(shown));
});

test('approves several, tells which could not be, and ends with 3', async () => {
  controller.on(`POST ${all}/edge-1/approve`, { body: sampleDevice() });
  controller.on(`POST ${all}/edge-2/approve`, refused(404, 'not_found', 'Device edge-2 does not exist'));
  expect(await device(['approve', 'edge-1', 'edge-2', '-q'])).toEqual({
    exitCode: 3,
    stdout: 'edge-1\n',
    stderr: 'muster: edge-2: Device edge-2 does not exist\n',
  });
});

test('approve-all approves every page of pending devices', async () => {
  const pending = Array.from({ length: 120 }, (_, at) =>
    sampleDevice({ name: `edge-${at}`, uuid: `uuid-${at}`, status: 'PENDING' }),
  );
  controller.on(`GET ${all}`, ({ query }) => ({ body: paged(pending, query) }));
  for (const one of pending) controller.on(`POST ${all}/${one.uuid}/approve`, { body: one });
  const { exitCode, stdout } = await device(['approve-all', '-q']);
  expect({ exitCode, lines: stdout.trim().split('\n').length }).toEqual({ exitCode: 0, lines: 120 });
});

test('sets and removes labels in one request', async () => {
  controller.on(`PATCH ${all}/edge-1/labels`, { body: sampleDevice() });
  expect((await device(['label', 'edge-1', 'site=berlin', 'old-', 'empty='])).exitCode).toBe(0);
  expect(controller.seen[0]?.body).toEqual({ labels: { site: 'berlin', old: null, empty: '' } });
  expect((await device(['label', 'edge-1', 'nonsense'])).exitCode).toBe(2);
});

test('removes only with --yes when there is no terminal', async () => {
  const found = sampleDevice();
  controller.on(`GET ${all}/edge-1`, { body: found });
  controller.on(`DELETE ${all}/${found.uuid}`, { status: 204 });
  const refusal = await device(['remove', 'edge-1']);
  expect(refusal.exitCode).toBe(2);
  expect(refusal.stderr).toContain('--yes');
  expect(controller.seen).toEqual([]);
  expect(await device(['remove', 'edge-1', '--yes'])).toMatchObject({
    exitCode: 0,
    stderr: 'Removed edge-1\n',
  });
});

describe.runIf(hasTerminals())('on a terminal', () => {
  test('asks before it removes', async () => {
    controller.on(`GET ${all}/edge-1`, { body: sampleDevice() });
    const muster = startOnTerminal(['device', 'remove', 'edge-1'], {
      url: controller.url,
      env: { TERM: 'xterm' },
    });
    await until('it asks', () => muster.stdout.includes('Remove the device edge-1?'));
    muster.type('\r');
    const { exitCode, stdout } = await muster.ended;
    expect(exitCode).toBe(1);
    expect(stdout).toContain('nothing was removed');
  });
});
