import { describe, expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { type ApiDevice, configView } from '../../test/harness/api-device.ts';
import { DesiredUnderTest, syncResult } from '../../test/harness/desired.ts';
import type { ScriptedDevice } from '../../test/harness/scripted-device.ts';
import { until } from '../../test/harness/until.ts';

interface Stage extends AsyncDisposable {
  api: ApiUnderTest;
  desired: DesiredUnderTest;
  device: ApiDevice;
  link: ScriptedDevice;
}

/** One device online with a desired configuration of one file. */
async function stage(): Promise<Stage> {
  const api = await ApiUnderTest.start();
  const desired = new DesiredUnderTest(api);
  const { device } = await desired.speaking('fw-1');
  await desired.bundle('base', { '/etc/motd': 'first\n' });
  const link = await desired.link(device.id);
  return { api, desired, device, link, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

/** Makes a SYNC, lets the device take it, and tells what it is about. */
async function taken({ desired, link }: Stage, over: object = {}) {
  const { tasks } = await desired.sync(over);
  const code = await link.takeTask();
  expect(code).toBe(tasks[0]?.task);
  const { current_hash } = await desired.status('fw-1');
  const { parameters } = await desired.parameters(code);
  return { code, content: String(current_hash), parameters, generation: Number(parameters['generation']) };
}

async function ended({ api }: Stage, code: string): Promise<void> {
  await until('the task has ended', async () => {
    const task = await api.store.tasks.get(undefined, code);
    return task?.status === 'COMPLETED' || task?.status === 'FAILED' ? true : undefined;
  });
}

async function applied(given: Stage, over: Record<string, unknown> = {}) {
  const order = await taken(given);
  const { content, generation } = order;
  given.link.complete(order.code, syncResult({ content, generation, ...over }));
  await ended(given, order.code);
  return order;
}

async function failed(given: Stage, error: string, result: Record<string, unknown> = {}) {
  const order = await taken(given);
  const { content, generation, code } = order;
  given.link.report({
    type: 'task.result',
    code,
    attempt: 1,
    outcome: 'FAILED',
    error: { code: error, message: `it ended as ${error}` },
    result: syncResult({ content, generation, outcome: error, ...result }),
  });
  await ended(given, code);
  return order;
}

describe('a SYNC that was', () => {
  test('applied makes the device IN_SYNC, and is what the next one is planned against', async () => {
    await using given = await stage();
    const { desired } = given;
    expect(await desired.status('fw-1')).toMatchObject({ drift_status: 'NEVER_SYNCED', in_sync: false });
    const { content } = await applied(given, { units: { files: 'state-1' } });
    expect(await desired.status('fw-1')).toMatchObject({
      drift_status: 'IN_SYNC',
      in_sync: true,
      synced_hash: content,
      current_hash: content,
      generation: 1,
      units: [{ unit: 'files', status: 'in_sync', message: '' }],
      error: null,
    });
    const shown = await desired.ok('GET', 'devices/fw-1');
    expect(shown).toMatchObject({ drift_status: 'IN_SYNC', synced_hash: content });
    expect((await desired.ok('GET', 'devices?drift_status=IN_SYNC'))['total']).toBe(1);
    expect((await desired.ok('GET', 'devices?drift_status=DRIFT'))['total']).toBe(0);
    expect(await desired.events('device.drift')).toEqual([{ from: 'NEVER_SYNCED', to: 'IN_SYNC' }]);

    const { parameters } = await taken(given);
    expect(parameters).toMatchObject({ generation: 2, base: { files: 'state-1' } });
  });

  test('applied, and again, tells of the change of status once', async () => {
    await using given = await stage();
    await applied(given);
    await applied(given, { outcome: 'unchanged' });
    expect(await given.desired.events('device.drift')).toHaveLength(1);
    expect(await given.desired.status('fw-1')).toMatchObject({ generation: 2, in_sync: true });
  });

  test('applied is left out by only_changed, until something changes', async () => {
    await using given = await stage();
    const { desired } = given;
    await applied(given);
    const answer = await desired.sync({ only_changed: true });
    expect(answer).toMatchObject({ run: null, tasks: [], skipped: [{ device_name: 'fw-1' }], errors: [] });
    await desired.bundle('base', { '/etc/motd': 'second\n' });
    expect((await desired.sync({ only_changed: true })).tasks).toHaveLength(1);
  });

  test('a dry run says nothing of the device', async () => {
    await using given = await stage();
    const order = await taken(given, { dry_run: true });
    given.link.complete(order.code, syncResult({ ...order, outcome: 'dry_run', journal: 'REJECTED' }));
    await ended(given, order.code);
    expect(await given.desired.status('fw-1')).toMatchObject({
      drift_status: 'NEVER_SYNCED',
      synced_hash: null,
    });
  });

  test('rolled back quarantines its content, until a release; the device hears of that', async () => {
    await using given = await stage();
    const { desired } = given;
    const { content } = await failed(given, 'rolled_back', {
      reason: 'the controller was not reached',
      on_disk: 'old',
    });
    expect(await desired.status('fw-1')).toMatchObject({
      drift_status: 'ERROR',
      quarantined: [content],
      error: 'it ended as rolled_back',
      synced_hash: null,
    });
    const plan = await desired.ok('POST', 'sync/plan', { targets: { all: true } });
    expect(plan['devices']).toMatchObject([{ quarantined: true }]);
    const refused = await desired.call('POST', 'sync', { targets: { all: true } });
    expect(refused.body['error']).toContain('rolled back');

    expect(await desired.ok('POST', 'devices/fw-1/sync/release', {})).toEqual({
      device_name: 'fw-1',
      released: [content],
    });
    const audit = await desired.ok('GET', 'audit?action=sync.release');
    expect(audit['items']).toMatchObject([{ target: 'fw-1', detail: { released: [content] } }]);
    const { parameters, code, generation } = await taken(given);
    expect(parameters['release']).toBe(true);
    given.link.complete(code, syncResult({ content, generation }));
    await ended(given, code);
    expect(await desired.status('fw-1')).toMatchObject({ in_sync: true, quarantined: [] });
    expect((await taken(given)).parameters['release']).toBe(false);
  });

  test('undone because somebody wished so speaks against nothing', async () => {
    await using given = await stage();
    await failed(given, 'rolled_back', { reason: 'agent_stopping: the agent stops', on_disk: 'old' });
    expect(await given.desired.status('fw-1')).toMatchObject({
      drift_status: 'NEVER_SYNCED',
      quarantined: [],
    });
  });

  test('rejected because of drift shows drift; other rejections change nothing', async () => {
    await using given = await stage();
    await applied(given);
    await failed(given, 'rejected_validate', { on_disk: 'old' });
    expect(await given.desired.status('fw-1')).toMatchObject({ drift_status: 'IN_SYNC' });
    await failed(given, 'rejected_drift', { on_disk: 'old', units: { files: 'something else' } });
    expect(await given.desired.status('fw-1')).toMatchObject({ drift_status: 'DRIFT' });
    const { parameters } = await taken(given);
    expect(parameters['base']).toEqual({ files: 'state-1' });
  });

  test('interrupted leaves open what is on the device', async () => {
    await using given = await stage();
    await applied(given);
    await failed(given, 'interrupted', { outcome: 'rejected' });
    expect(await given.desired.status('fw-1')).toMatchObject({ drift_status: 'UNKNOWN' });
  });

  test('given up here, and applied after all, counts as what the device says', async () => {
    await using given = await stage();
    const { api, desired, link } = given;
    const { code, content, generation } = await taken(given);
    const lost = await api.store.tasks.timeOut(Number.MAX_SAFE_INTEGER, 10);
    expect(lost).toHaveLength(1);
    link.complete(code, syncResult({ content, generation }));
    await until('the late result is kept', async () =>
      (await api.store.tasks.get(undefined, code))?.lateResult ? true : undefined,
    );
    expect(await desired.status('fw-1')).toMatchObject({ drift_status: 'IN_SYNC', synced_hash: content });
  });
});

describe('a PULL', () => {
  const unit = (status: string, state = 'pulled') =>
    ({ unit: 'files', status, message: '', files: 1, bytes: 1, state }) as never;

  test('of a device that confirmed nothing is no drift', async () => {
    await using given = await stage();
    await given.device.pull(configView({ '/etc/motd': 'x' }), { units: [unit('never_synced')] });
    const { drift_status, drift_checked_at } = await given.desired.status('fw-1');
    expect([drift_status, drift_checked_at]).toEqual(['NEVER_SYNCED', expect.any(String)]);
  });

  test.each([
    ['in_sync', 'IN_SYNC', []],
    ['file_changed', 'DRIFT', ['DRIFT']],
    ['running_only', 'DRIFT', ['DRIFT']],
    ['pending_reload', 'DRIFT', ['DRIFT']],
    ['unreadable', 'ERROR', ['ERROR']],
    ['suspect', 'ERROR', ['ERROR']],
  ])('that finds %s makes it %s', async (status, drift, events) => {
    await using given = await stage();
    const { content, generation } = await applied(given);
    await given.device.pull(configView({ '/etc/motd': 'x' }), { units: [unit(status)], content, generation });
    expect(await given.desired.status('fw-1')).toMatchObject({
      drift_status: drift,
      in_sync: drift === 'IN_SYNC',
      units: [{ unit: 'files', status }],
    });
    const told = await given.desired.events('device.drift');
    expect(told.slice(1).map(({ to }) => to)).toEqual(events);
    const { parameters } = await taken(given);
    expect(parameters['base']).toEqual({ files: drift === 'ERROR' ? 'state-1' : 'pulled' });
  });

  test('that began before the last confirmation says nothing', async () => {
    await using given = await stage();
    const code = await given.device.task('PULL', { recipients: [] });
    await applied(given);
    await given.device.pull(configView({ '/etc/motd': 'x' }), { code, units: [unit('never_synced')] });
    expect(await given.desired.status('fw-1')).toMatchObject({ drift_status: 'IN_SYNC' });
    expect((await taken(given)).parameters['base']).toEqual({ files: 'state-1' });
  });

  test('teaches a controller that forgot what the device confirmed', async () => {
    await using given = await stage();
    await given.device.pull(configView({ '/etc/motd': 'x' }), {
      units: [unit('in_sync')],
      content: 'c'.repeat(64),
      generation: 40,
    });
    expect(await given.desired.status('fw-1')).toMatchObject({ generation: 40, synced_hash: 'c'.repeat(64) });
    expect((await taken(given)).generation).toBe(41);
  });

  test('of a device that was set up anew ends what was confirmed', async () => {
    await using given = await stage();
    await applied(given);
    await given.device.pull(configView({ '/etc/motd': 'x' }), { units: [unit('never_synced')] });
    expect(await given.desired.status('fw-1')).toMatchObject({
      drift_status: 'NEVER_SYNCED',
      synced_hash: null,
    });
  });
});

describe('a plan', () => {
  const planned = async ({ desired }: Stage) => {
    const plan = await desired.ok('POST', 'sync/plan', { targets: { all: true } });
    const [device] = plan['devices'] as { files: { path: string; change: string; diff: string | null }[] }[];
    return Object.fromEntries(device?.files.map(({ path, change, diff }) => [path, [change, diff]]) ?? []);
  };

  test('compares with the pulled view, and hides secrets on both sides', async () => {
    await using given = await stage();
    const { desired, device } = given;
    await desired.variable('psk', 'the secret value', { secret: true });
    await desired.bundle('base', {
      '/etc/same': 'key = {{ psk }}\nsame\n',
      '/etc/changed': 'key = {{ psk }}\nnew line\n',
      '/etc/new': 'new\n',
      '/etc/gone': null,
      '/etc/never-there': null,
    });
    await device.pull(
      configView({
        '/etc/same': 'key = <secret:0123abcd>\nsame\n',
        '/etc/changed': 'key = <secret:0123abcd>\nold line\n',
        '/etc/gone': 'old\n',
      }),
    );
    const files = await planned(given);
    expect(files['/etc/same']).toEqual(['none', null]);
    expect(files['/etc/changed']).toEqual(['change', expect.stringContaining('-old line\n+new line\n')]);
    expect(files['/etc/new']).toEqual(['create', expect.stringContaining('+new')]);
    expect(files['/etc/gone']).toEqual(['delete', expect.stringContaining('-old')]);
    expect(files['/etc/never-there']).toEqual(['none', null]);
    expect(files['/etc/changed']?.[1]).toContain(' key = <secret>');
  });

  test('compares with what was confirmed since, and deletes what is no longer named', async () => {
    await using given = await stage();
    const { desired } = given;
    await desired.bundle('base', { '/etc/motd': 'first\n', '/etc/left': 'x\n' });
    await applied(given);
    expect(await planned(given)).toEqual({ '/etc/motd': ['none', null], '/etc/left': ['none', null] });
    await desired.bundle('base', { '/etc/motd': 'second\n' });
    const files = await planned(given);
    expect(files['/etc/motd']).toEqual(['change', expect.stringContaining('-first\n+second\n')]);
    expect(files['/etc/left']).toEqual(['delete', expect.stringContaining('-x')]);
  });

  test('tells a change of mode apart', async () => {
    await using given = await stage();
    await given.device.pull(configView({ '/etc/motd': 'first\n' }));
    const files = [{ path: '/etc/motd', unit: 'files', template: 'first\n', mode: '0600' }];
    await given.desired.ok('PUT', 'bundles/base', { profile: 'test', targets: { all: true }, files });
    expect(await planned(given)).toEqual({ '/etc/motd': ['mode', null] });
  });
});
