import { beforeEach, expect, test } from 'vitest';
import { FakeController, paged } from './testing/fake-controller.ts';
import { olderDevice, olderMe, olderTask } from './testing/older-answers.ts';
import { runMuster } from './testing/run-muster.ts';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  const devices = '/api/v1/organizations/default/devices';
  controller.on(`GET ${devices}`, ({ query }) => ({ body: paged([olderDevice], query) }));
  controller.on(`GET ${devices}/edge-1`, { body: olderDevice });
  controller.on('GET /api/v1/tasks', ({ query }) => ({ body: paged([olderTask], query) }));
  controller.on('GET /api/v1/tasks/D4HlPYHW', { body: olderTask });
  controller.on('GET /api/v1/auth/me', { body: olderMe });
  return () => controller.close();
});

test.each([
  [['device', 'list', '-f', 'simple'], /edge-1 +ENABLED +online/],
  [['device', 'describe', 'edge-1'], /Name: +edge-1/],
  [['task', 'list', '-f', 'simple'], /D4HlPYHW/],
  [['task', 'describe', 'D4HlPYHW'], /D4HlPYHW/],
  [['auth', 'me'], /admin@localhost/],
])('%j understands a controller that knows less', async (args, shown) => {
  const { exitCode, stdout, stderr } = await runMuster(args, { url: controller.url });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(shown);
});

test('JSON has what such a controller did not say, as it is where it is not known', async () => {
  const asJson = async (...args: string[]) =>
    JSON.parse((await runMuster([...args, '--json'], { url: controller.url })).stdout) as unknown;
  expect(await asJson('device', 'describe', 'edge-1')).toEqual({
    ...olderDevice,
    next_key_fingerprint: null,
    key_rotation: false,
    key_revoked_at: null,
  });
  expect(await asJson('task', 'list')).toEqual([{ ...olderTask, waiting_for_input: false, question: null }]);
});

test('of a controller that knows more everything is kept, also beside what has defaults', async () => {
  const newer = { ...olderTask, mood: 'fine', question: null, waiting_for_input: false, status: 'PONDERING' };
  controller.on('GET /api/v1/tasks/D4HlPYHW', { body: newer });
  const { stdout } = await runMuster(['task', 'describe', 'D4HlPYHW', '--json'], { url: controller.url });
  expect(JSON.parse(stdout)).toEqual(newer);
});
