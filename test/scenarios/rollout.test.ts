import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../shared/api/runs.ts';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';

/** Ten devices: eight at work, one that is away, one that is not approved. */
let cluster: Cluster;
const present = Array.from({ length: 8 }, (_, index) => `fw-${index + 1}`);
beforeAll(async () => {
  cluster = await Cluster.create('rollout');
  for (const name of present) await cluster.join(name);
  await cluster.enrolled('fw-away');
  await cluster.approve('fw-away');
  await cluster.enrolled('fw-new');
});
afterAll(() => cluster[Symbol.asyncDispose]());

const start = (body: object) =>
  cluster.controller.call('POST', '/api/v1/organizations/default/tasks', {
    type: 'SCRIPT',
    targets: { all: true },
    payload: { script: 'sleep 0.3' },
    ...body,
  });
const run = async (id: unknown) =>
  (await cluster.controller.call('GET', `/api/v1/runs/${String(id)}`)) as Run;
const tasksOf = async (id: unknown) =>
  (await cluster.controller.call('GET', `/api/v1/tasks?run=${String(id)}&per_page=100`))['items'] as {
    task: string;
    device_name: string;
    status: string;
    started_at: string | null;
    completed_at: string | null;
    error_code: string | null;
  }[];

/** The most tasks that were at work at the same time. */
function widest(tasks: Awaited<ReturnType<typeof tasksOf>>): number {
  const moves = tasks.flatMap(({ started_at, completed_at }) =>
    started_at ? [{ at: started_at, by: 1 }, ...(completed_at ? [{ at: completed_at, by: -1 }] : [])] : [],
  );
  moves.sort((left, right) => (left.at === right.at ? left.by - right.by : left.at < right.at ? -1 : 1));
  let now = 0;
  return moves.reduce((most, { by }) => Math.max(most, (now += by)), 0);
}

test('all means every enabled device; the others are skipped with a reason', async () => {
  const answer = await start({ payload: { script: 'exit 0' } });
  expect(answer['total']).toBe(9);
  expect(answer['skipped']).toEqual([
    { device_name: 'fw-new', reason: expect.stringMatching(/PENDING|approved/) },
  ]);
});

test('a batch keeps to its width, and a device that is away takes no place in it', async () => {
  const { run: id } = await start({ rollout: { batch: '2' } });
  await until(
    'all but the absent one are done',
    async () => (await run(id)).counts['COMPLETED'] === present.length,
  );
  expect(widest(await tasksOf(id))).toBeLessThanOrEqual(2);
  expect((await run(id)).counts).toMatchObject({ PENDING: 1 });
});

test('a failed canary stops the run before any other device starts', async () => {
  const { run: id } = await start({ payload: { script: 'exit 1' }, rollout: { canary: 1 } });
  const stopped = await until('it stops', async () => {
    const now = await run(id);
    return now.status === 'STOPPED' ? now : undefined;
  });
  expect(stopped.counts).toMatchObject({ FAILED: 1, CANCELLED: 8 });
  expect(stopped.stopped_reason).toMatch(/canary/i);
  const cancelled = (await tasksOf(id)).filter(({ status }) => status === 'CANCELLED');
  expect(new Set(cancelled.map(({ error_code }) => error_code))).toEqual(new Set(['rollout_stopped']));
});

test('too many failures stop the run', async () => {
  const { run: id } = await start({
    payload: { script: 'exit 1' },
    rollout: { batch: '1', max_failures: '2' },
  });
  const stopped = await until('it stops', async () => {
    const now = await run(id);
    return now.status === 'STOPPED' ? now : undefined;
  });
  expect(stopped.counts['FAILED']).toBe(3);
});

test('the controller is killed in the middle of a rollout: it goes on, still in batches', async () => {
  const { run: id } = await start({ rollout: { batch: '25%' } });
  await until('some are done', async () => ((await run(id)).counts['COMPLETED'] ?? 0) >= 2);
  await cluster.controller.restart();
  await until('all are done', async () => (await run(id)).counts['COMPLETED'] === present.length, {
    deadlineMs: 90_000,
  });
  expect(widest(await tasksOf(id))).toBeLessThanOrEqual(3);
});
