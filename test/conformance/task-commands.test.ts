import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';
import { examplesIn } from './examples.ts';

const device = 'fw-prod-01';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('task-commands', { agents: [device] });
});
afterAll(() => cluster[Symbol.asyncDispose]());

const lines = examplesIn('task-commands', 'sh').flatMap(({ text }) => text.split('\n'));

/** A task that waits for its time. */
async function scheduled(): Promise<string> {
  const [code = ''] = await cluster.controller.run({
    type: 'PING',
    targets: { devices: [device] },
    scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
  });
  return code;
}

test.each(lines)('%s', async (line) => {
  const code = await scheduled();
  const [program, ...args] = line.replace('abc12345', code).split(' ');
  expect(program).toBe('muster');
  const end = await cluster.muster(args);
  expect(end, end.stderr).toMatchObject({ exitCode: 0, signal: null });
});

test('a list is filtered as asked, and a description has every documented part', async () => {
  const code = await scheduled();
  const listed = async (...flags: string[]) =>
    (await cluster.muster(['task', 'list', '-q', '--per-page', '100', ...flags])).stdout.trim().split('\n');
  expect(await listed('--status', 'SCHEDULED', '--created-after', '1h')).toContain(code);
  expect(await listed('--status', 'FAILED')).not.toContain(code);
  expect(await listed('--type', 'SYNC')).not.toContain(code);
  expect(await listed('--device', device)).toContain(code);
  expect(await listed('--created-before', '2024-01-15T10:30:00Z')).not.toContain(code);

  const { stdout } = await cluster.muster(['task', 'describe', code, '-f', 'json']);
  expect(JSON.parse(stdout)).toMatchObject({
    task: code,
    type: 'PING',
    device_name: device,
    status: 'SCHEDULED',
    created_at: expect.any(String) as string,
    updated_at: expect.any(String) as string,
    scheduled_at: expect.any(String) as string,
    expires_at: null,
  });
});

test('only what waits is cancelled: what runs and what is over are not', async () => {
  const waiting = await scheduled();
  expect(await cluster.muster(['task', 'cancel', waiting])).toMatchObject({ exitCode: 0 });
  expect(await cluster.controller.task(waiting)).toMatchObject({ status: 'CANCELLED' });

  const [running = ''] = await cluster.controller.run({
    type: 'SCRIPT',
    targets: { devices: [device] },
    payload: { script: 'sleep 3600' },
  });
  await cluster.controller.reaches(running, ['IN_PROGRESS']);
  const refused = await cluster.muster(['task', 'cancel', running]);
  expect(refused.exitCode).not.toBe(0);
  expect(refused.stderr).toMatch(/is IN_PROGRESS and can no longer be cancelled/);
  expect(await cluster.controller.task(running)).toMatchObject({ status: 'IN_PROGRESS' });
  await cluster.controller.call('POST', `/api/v1/tasks/${running}/cancel`, { request: true });
  await until('it was stopped', async () => (await cluster.controller.task(running)).status === 'CANCELLED');
  expect((await cluster.muster(['task', 'cancel', 'zzzzzzzz'])).exitCode).not.toBe(0);
});
