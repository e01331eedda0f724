import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Question } from '../../shared/api/questions.ts';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';

const root = '/api/v1/organizations/default/questions';
const device = 'asker';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('questions', { agents: [device] });
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

/** Runs a script that asks, says what it got, and ends with what `muster-agent ask` ended with. */
async function asking(wish: string, parameters: Record<string, unknown> = {}): Promise<string> {
  const [code] = await cluster.controller.run({
    type: 'SCRIPT',
    targets: { devices: [device] },
    payload: {
      script: `#!/bin/sh\necho begun\nanswer=$(muster-agent ask ${wish})\ncode=$?\necho "got $answer"\nexit $code\n`,
      ...parameters,
    },
  });
  if (code === undefined) throw new Error('no task was made');
  return code;
}

/** The question that the task waits for. */
const waiting = (code: string): Promise<Question> =>
  until(`task ${code} asks`, async () => {
    const task = await cluster.controller.task(code);
    return task.waiting_for_input ? question(task.question?.id ?? '') : undefined;
  });

const question = async (id: string): Promise<Question> =>
  (await cluster.controller.call('GET', `${root}/${id}`)) as Question;

const answer = (id: string, option: string) =>
  cluster.controller.api('POST', `${root}/${id}/answer`, { answer: option });

/** Waits until the device has said what it took. */
const taken = (id: string): Promise<Question> =>
  until(`question ${id} is taken`, async () => {
    const found = await question(id);
    return found.taken_at === null ? undefined : found;
  });

test('a script asks, a person answers by the command line, and the script goes on', async () => {
  const code = await asking('"Disk contains data. Wipe?" yes no --safe no');
  const { id, ...asked } = await waiting(code);
  expect(asked).toMatchObject({
    prompt: 'Disk contains data. Wipe?',
    options: ['yes', 'no'],
    safe: 'no',
    state: 'pending',
    task: code,
    device_name: device,
  });
  expect((await cluster.muster(['task', 'describe', code])).stdout).toMatch(/Asks.*Disk contains data/);
  expect((await answer(id, 'perhaps')).status).toBe(400);
  expect(await cluster.muster(['question', 'answer', code, 'yes'])).toMatchObject({ exitCode: 0 });
  expect((await answer(id, 'no')).status).toBe(409);

  expect(await cluster.controller.ended(code)).toMatchObject({
    status: 'COMPLETED',
    waiting_for_input: false,
  });
  expect(await cluster.controller.logs(code)).toEqual(['begun', 'got yes']);
  expect(await question(id)).toMatchObject({
    state: 'answered',
    answer: 'yes',
    taken_answer: 'yes',
    taken_reason: 'person',
  });
});

test.skipIf(process.getuid?.() !== 0)(
  'a script that runs as another user asks through a door of its own',
  async () => {
    const code = await asking('"Wipe?" yes no', { user: 'nobody' });
    const { id } = await waiting(code);
    await answer(id, 'yes');
    expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED' });
    expect(await cluster.controller.logs(code)).toEqual(['begun', 'got yes']);
  },
);

test('nobody answers: the safe option is taken, or the script is told that there is none', async () => {
  const safe = await asking('"Wipe?" yes no --safe no --timeout 1s');
  expect(await cluster.controller.ended(safe)).toMatchObject({ status: 'COMPLETED' });
  expect(await cluster.controller.logs(safe)).toEqual(['begun', 'got no']);
  const none = await asking('"Wipe?" yes no --timeout 1s');
  expect(await cluster.controller.ended(none)).toMatchObject({ status: 'FAILED', result: { exit_code: 3 } });
});

test('an answer given while the device is dead is taken after its restart, once', async () => {
  const agent = cluster.agent(device);
  const code = await asking('"Wipe?" yes no', { idempotent: true });
  const { id } = await waiting(code);
  await agent.kill();
  await cluster.online(device, false);
  expect((await answer(id, 'yes')).status).toBe(200);
  agent.start();
  expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED' });
  expect((await cluster.controller.logs(code)).at(-1)).toBe('got yes');
  const list = await cluster.controller.call('GET', `${root}?task=${code}`);
  expect(list).toMatchObject({ total: 1, items: [{ id, answer: 'yes', taken_answer: 'yes' }] });
});

test('the question and the answer survive the death of the controller', async () => {
  const code = await asking('"Wipe?" yes no');
  const { id } = await waiting(code);
  await cluster.controller.restart();
  expect(await question(id)).toMatchObject({ state: 'pending' });
  cluster.agent(device).program.signal('SIGSTOP');
  expect((await answer(id, 'yes')).status).toBe(200);
  await cluster.controller.restart();
  cluster.agent(device).program.signal('SIGCONT');
  expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED' });
  expect(await taken(id)).toMatchObject({ state: 'answered', answer: 'yes', taken_answer: 'yes' });
});

test('a device that cannot reach its controller decides by itself, and a later answer is shown as too late', async () => {
  const code = await asking('"Wipe?" yes no --safe no --timeout 8s');
  const { id } = await waiting(code);
  await cluster.controller.kill();
  const decided = `"question":"${id}","reason":"deadline"`;
  await until('the device decided', () => cluster.agent(device).program.log().includes(decided));
  await cluster.controller.start();
  expect(await taken(id)).toMatchObject({ state: 'expired', taken_answer: 'no', taken_reason: 'deadline' });
  expect((await answer(id, 'yes')).status).toBe(409);
  expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED' });
});

test('a script that dies with its agent is asked about no more', async () => {
  const code = await asking('"Wipe?" yes no');
  const { id } = await waiting(code);
  await cluster.agent(device).restart();
  expect(await cluster.controller.ended(code)).toMatchObject({ status: 'FAILED', error_code: 'interrupted' });
  expect(await question(id)).toMatchObject({ state: 'withdrawn', answer: null });
  expect((await answer(id, 'yes')).status).toBe(409);
});

test('cancelling the task withdraws what it asks', async () => {
  const code = await asking('"Wipe?" yes no');
  const { id } = await waiting(code);
  await cluster.controller.call('POST', `/api/v1/tasks/${code}/cancel`, { request: true });
  expect(await question(id)).toMatchObject({ state: 'withdrawn' });
  expect(await cluster.controller.ended(code)).toMatchObject({ status: 'CANCELLED' });
});
