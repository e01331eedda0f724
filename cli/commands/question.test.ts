import { expect, test } from 'vitest';
import type { Question } from '../../shared/api/questions.ts';
import { FakeController, paged, refused } from '../testing/fake-controller.ts';
import { runMuster, startMuster } from '../testing/run-muster.ts';
import { sampleTask } from '../testing/samples.ts';
import { until } from '../../test/harness/until.ts';

const root = '/api/v1/organizations/default/questions';
const id = '0197a3c0-5b1e-4c55-9d0e-111111111111';
const question: Question = {
  id,
  organization: 'default',
  run: null,
  task: 'aB3dE6gH',
  device_name: 'edge-1',
  prompt: 'Wipe /dev/sda\u001b[2J?',
  options: ['yes', 'not now'],
  safe: 'not now',
  state: 'pending',
  asked_at: '2026-01-01T00:00:00.000Z',
  expires_at: '2026-01-01T00:10:00.000Z',
  answer: null,
  answered_by: null,
  answered_at: null,
  taken_answer: null,
  taken_reason: null,
  taken_at: null,
};
const late: Question = {
  ...question,
  state: 'answered',
  answer: 'yes',
  answered_by: 'ann@example.org',
  taken_answer: 'not now',
  taken_reason: 'deadline',
  taken_at: '2026-01-01T00:10:00.000Z',
};

test('what waits is listed; a late answer is shown beside what the device took', async () => {
  await using controller = await FakeController.start();
  controller.on(`GET ${root}`, ({ query }) => ({ body: paged([question, late], query) }));
  const { stdout } = await runMuster(['question', 'list', '-f', 'simple'], { url: controller.url });
  expect(stdout).toMatch(/edge-1 +aB3dE6gH .* pending +yes, not now +Wipe \/dev\/sda\ufffd\[2J\?\n/);
  expect(stdout).toMatch(/answered: yes; device took not now/);
  await runMuster(['question', 'list', '--state', 'all', '--task', 'aB3dE6gH'], { url: controller.url });
  const page = { page: '1', per_page: '30' };
  expect(controller.seen.map(({ query }) => query)).toEqual([
    { ...page, state: 'pending' },
    { ...page, task: 'aB3dE6gH' },
  ]);
});

test('a question is shown and answered by its id, or by the task that asks', async () => {
  await using controller = await FakeController.start();
  controller.on(`GET ${root}`, ({ query }) => ({ body: paged([question], query) }));
  controller.on(`GET ${root}/${id}`, { body: question });
  controller.on(`POST ${root}/${id}/answer`, { body: { ...question, state: 'answered', answer: 'yes' } });
  const run = (...args: string[]) => runMuster(['question', ...args], { url: controller.url });

  expect((await run('show', 'aB3dE6gH', '-f', 'detailed')).stdout).toMatch(
    new RegExp(
      `Options: +yes, not now \\(when nobody answers\\)[^]*muster question answer ${id} yes\\|'not now'`,
    ),
  );
  expect(await run('answer', id, 'yes')).toMatchObject({ exitCode: 0, stderr: /answered yes/ });
  await run('answer', 'aB3dE6gH', 'yes');
  expect(controller.requests(`POST ${root}/${id}/answer`).map(({ body }) => body)).toEqual([
    { answer: 'yes' },
    { answer: 'yes' },
  ]);
});

test('a task that asks nothing, and an answer that comes too late, say so', async () => {
  await using controller = await FakeController.start();
  controller.on(`GET ${root}`, ({ query }) => ({ body: paged([], query) }));
  controller.on(`POST ${root}/${id}/answer`, refused(409, 'conflict', 'it was answered before'));
  const run = (...args: string[]) => runMuster(['question', ...args], { url: controller.url });
  expect((await run('answer', 'aB3dE6gH', 'yes')).exitCode).toBe(5);
  const taken = await run('answer', id, 'yes');
  expect(taken.exitCode).toBe(6);
  expect(taken.stderr).toContain('it was answered before');
});

test('describe shows what a task waits for, and who watches is told how to answer', async () => {
  await using controller = await FakeController.start();
  const { id: _id, prompt, options, safe, asked_at, expires_at } = question;
  const waiting = { id, prompt, options, safe, asked_at, expires_at };
  controller.add(sampleTask({ status: 'IN_PROGRESS', started_at: asked_at }));
  const watching = startMuster(['task', 'watch', 'aB3dE6gH'], { url: controller.url });
  await until('it is watched', () => controller.streams === 1);
  controller.change('aB3dE6gH', { waiting_for_input: true, question: waiting });
  await until('the question is told', () => watching.stderr.includes('asks: Wipe'));
  expect(watching.stderr).toContain(`muster question answer ${id} yes|'not now'`);

  const { stdout } = await runMuster(['task', 'describe', 'aB3dE6gH', '-f', 'detailed'], {
    url: controller.url,
  });
  expect(stdout).toMatch(/Asks: +Wipe .*\nOptions: +yes, not now/);
  controller.change('aB3dE6gH', { status: 'COMPLETED', waiting_for_input: false, question: null });
  expect((await watching.ended).exitCode).toBe(0);
});
