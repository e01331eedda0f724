import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('life', { agents: ['edge-1'] });
  await cluster.enrolled('away');
  await cluster.approve('away');
});
afterAll(() => cluster[Symbol.asyncDispose]());

const script = (device: string, text: string, over: object = {}) =>
  cluster.controller.run({
    type: 'SCRIPT',
    targets: { devices: [device] },
    payload: { script: text },
    ...over,
  });
const code = async (made: Promise<string[]>): Promise<string> => (await made)[0] ?? '';
const cancel = (task: string, body: object = {}) =>
  cluster.controller.api('PUT', `/api/v1/tasks/${task}/cancel`, body);

test('a task of a device that is away waits, is cancelled, and never runs', async () => {
  const task = await code(script('away', 'exit 0'));
  expect(await cluster.controller.task(task)).toMatchObject({ status: 'PENDING' });
  expect((await cancel(task)).status).toBe(200);
  expect(await cluster.controller.task(task)).toMatchObject({ status: 'CANCELLED', started_at: null });
  expect((await cancel(task)).status).toBe(200); // asked twice, harmless
});

test('a task that has ended cannot be cancelled', async () => {
  const task = await code(script('edge-1', 'exit 0'));
  await cluster.controller.ended(task);
  expect(await cancel(task)).toMatchObject({ status: 409, body: { code: 'not_cancellable' } });
});

test('a task that nobody picks up expires', async () => {
  const task = await code(script('away', 'exit 0', { expires_in_seconds: 1 }));
  expect(await cluster.controller.ended(task)).toMatchObject({ status: 'EXPIRED', started_at: null });
});

test('a running task stops when asked to, and not by a plain cancel', async () => {
  const task = await code(script('edge-1', 'echo on; sleep 600'));
  await until('it prints', async () => (await cluster.controller.logs(task)).includes('on'));
  expect(await cancel(task)).toMatchObject({ status: 409, body: { code: 'not_cancellable' } });
  expect((await cancel(task, { request: true })).status).toBeLessThan(300);
  expect(await cluster.controller.ended(task)).toMatchObject({ status: 'CANCELLED' });
});

test('a task that takes too long is stopped by the device and FAILED timed_out', async () => {
  const task = await code(script('edge-1', 'sleep 600', { timeout_seconds: 1 }));
  expect(await cluster.controller.ended(task)).toMatchObject({ status: 'FAILED', error_code: 'timed_out' });
});

test('a script that fails is FAILED with its exit code, and its output is kept', async () => {
  const task = await code(script('edge-1', 'echo out; echo err >&2; exit 3'));
  expect(await cluster.controller.ended(task)).toMatchObject({
    status: 'FAILED',
    error_code: expect.any(String),
  });
  const { error_message } = await cluster.controller.task(task);
  expect(error_message).toContain('3');
  expect((await cluster.controller.logs(task)).sort()).toEqual(['err', 'out']);
});

test('a deferred task is SCHEDULED until its time', async () => {
  const at = new Date(Date.now() + 2_000).toISOString();
  const task = await code(script('edge-1', 'exit 0', { scheduled_at: at }));
  expect(await cluster.controller.task(task)).toMatchObject({ status: 'SCHEDULED', expires_at: null });
  const ended = await cluster.controller.ended(task);
  expect(ended.status).toBe('COMPLETED');
  expect(Date.parse(ended.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(at));
});

test('a task is not handed out beside a REBOOT, and the REBOOT waits for it', async () => {
  const running = await code(script('edge-1', 'sleep 2'));
  await cluster.controller.reaches(running, ['IN_PROGRESS']);
  const reboot = await code(cluster.controller.run({ type: 'REBOOT', targets: { devices: ['edge-1'] } }));
  const after = await code(script('edge-1', 'exit 0'));
  expect(await cluster.controller.ended(running)).toMatchObject({ status: 'COMPLETED' });
  const rebooted = await cluster.controller.ended(reboot);
  expect(rebooted.status).toBe('COMPLETED');
  const last = await cluster.controller.ended(after);
  expect(last.status).toBe('COMPLETED');
  expect(Date.parse(last.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(rebooted.completed_at ?? ''));
});

test('a removed device loses its tasks, and its agent is told', async () => {
  await cluster.join('leaving');
  const task = await code(script('leaving', 'sleep 600'));
  await cluster.controller.reaches(task, ['IN_PROGRESS']);
  await cluster.controller.call('DELETE', cluster.devicePath('leaving'));
  expect(await cluster.controller.ended(task)).toMatchObject({
    status: 'FAILED',
    error_code: 'device_removed',
  });
});

test('a slow reader of events resumes where it was, without a gap', async () => {
  const { url, adminToken } = cluster.controller;
  const read = async (after: number | undefined, enough: (types: string[]) => boolean) => {
    const over = new AbortController();
    const response = await fetch(`${url}/api/v1/events${after === undefined ? '' : `?after=${after}`}`, {
      headers: { authorization: `Bearer ${adminToken}`, accept: 'text/event-stream' },
      signal: AbortSignal.any([over.signal, AbortSignal.timeout(20_000)]),
    });
    const events: { id: number; type: string; task: string | null }[] = [];
    let rest = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data === undefined) continue;
        const event = JSON.parse(data) as { cursor: number; type: string; task: string | null };
        events.push({ id: event.cursor, type: event.type, task: event.task });
      }
      if (enough(events.map(({ type }) => type))) break;
    }
    over.abort();
    return events;
  };
  const first = await code(script('edge-1', 'exit 0'));
  await cluster.controller.ended(first);
  const all = await read(0, (types) => types.includes('task.completed'));
  const middle = all[Math.floor(all.length / 2)];
  await cluster.controller.restart();
  const resumed = await read(
    middle?.id,
    (types) => types.length >= all.length - Math.floor(all.length / 2) - 1,
  );
  expect(resumed.slice(0, all.length - Math.floor(all.length / 2) - 1)).toEqual(
    all.slice(Math.floor(all.length / 2) + 1),
  );
});

test('the agent’s own policy narrows what it accepts, and the task says so', async () => {
  const { writeFileSync } = await import('node:fs');
  const config = join(cluster.folder, 'narrow.yaml');
  writeFileSync(config, 'policy: { task_types: [PING] }\n');
  await cluster.join('narrow', { startArguments: ['--config', config] });
  const answer = await cluster.controller.api('POST', '/api/v1/organizations/default/tasks', {
    type: 'SCRIPT',
    targets: { devices: ['narrow'] },
    payload: { script: 'exit 0' },
  });
  expect({ status: answer.status, code: answer.body['code'] }).toEqual({
    status: 422,
    code: 'task_type_not_supported',
  });
});
