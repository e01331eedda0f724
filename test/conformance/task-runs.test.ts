import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';
import { expectShape } from './documented-answer.ts';
import { readExamples } from './examples.ts';

const device = 'worker-01';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('task-runs', { agents: [device] });
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** Calls what a heading documents and holds the answer against the documented one. */
async function documented(
  title: string,
  ids: { runId?: string; questionId?: string } = {},
  body?: object,
): Promise<unknown> {
  const [request, answer] = readExamples('task-runs').filter((one) => one.title === title);
  const [, method = '', path = ''] = /^(GET|POST) (\S+)$/.exec(request?.text ?? '') ?? [];
  const url = `/api${path}`.replace('{runId}', ids.runId ?? '').replace('{questionId}', ids.questionId ?? '');
  const given = await cluster.controller.api(method, url, body);
  expect(given.status, JSON.stringify(given.body)).toBe(200);
  expectShape(given.body, JSON.parse(answer?.text ?? ''), title);
  return given.body;
}

async function script(text: string, over: object = {}): Promise<string> {
  const [code = ''] = await cluster.controller.run({
    type: 'SCRIPT',
    targets: { devices: [device] },
    payload: { script: text },
    ...over,
  });
  return code;
}

const run = (id: string) => cluster.controller.call('GET', `/api/task/run/${id}`);
const reaches = (id: string, state: string) =>
  until(`run ${id} is ${state}`, async () => (await run(id))['state'] === state, { last: () => run(id) });

test('a run that asks is described, read and answered as documented, and goes on with the answer', async () => {
  const code = await script(
    'echo Starting on /dev/sdb\nanswer=$(muster-agent ask "Disk /dev/sdb contains existing data. Proceed with wipe?" yes no)\necho "answer $answer"\n',
  );
  const asked = await until('it asks', async () => {
    const { body } = await cluster.controller.api('GET', '/api/task/questions/pending');
    return (body as unknown as object[]).length > 0;
  });
  expect(asked).toBe(true);
  const [question] = (await documented('Pending Questions')) as { id: string; runId: string }[];
  const runId = question?.runId ?? '';
  const questionId = question?.id ?? '';
  expect(await documented('Run Details', { runId })).toMatchObject({
    taskName: 'script.run',
    state: 'running',
    nodeHostname: device,
  });
  expect(await run(code)).toEqual(await run(runId));

  const answer = (option: string) =>
    cluster.controller.api('POST', `/api/task/question/${questionId}/answer`, { answer: option });
  expect((await answer('perhaps')).status).toBe(400);
  await documented('Answer Question', { questionId }, { answer: 'yes' });
  expect((await answer('yes')).status).toBe(409);
  await reaches(runId, 'completed');
  expect(await documented('Run Logs', { runId })).toMatchObject([
    { level: 'info', message: 'Starting on /dev/sdb' },
    { level: 'info', message: 'answer yes' },
  ]);
  expect(await documented('Recent Runs')).toMatchObject([{ id: runId, state: 'completed' }]);
});

test('a run is canceled while it runs and while it waits; one that is over is 409, an unknown one 404', async () => {
  const running = await script('sleep 60\n');
  await reaches(running, 'running');
  await documented('Cancel Run', { runId: running });
  await reaches(running, 'canceled');

  const [later = ''] = await cluster.controller.run({
    type: 'PING',
    targets: { devices: [device] },
    scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
  });
  expect(await run(later)).toMatchObject({ state: 'pending' });
  await documented('Cancel Run', { runId: later });
  expect(await run(later)).toMatchObject({ state: 'canceled' });

  const over = await script('echo out; echo err >&2; exit 3\n');
  await reaches(over, 'failed');
  expect(await run(over)).toMatchObject({ error: expect.stringMatching(/3/) as string });
  expect((await cluster.controller.api('POST', `/api/task/run/${over}/cancel`)).status).toBe(409);
  expect((await cluster.controller.api('GET', '/api/task/run/nobody')).status).toBe(404);
  const warnings = await cluster.controller.api('GET', `/api/task/run/${over}/logs?levels=warn`);
  expect(warnings.body).toMatchObject([{ level: 'warn', message: 'err' }]);
});
