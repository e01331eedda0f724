import { beforeEach, expect, test } from 'vitest';
import type { Delivery, Webhook } from '../../shared/api/webhooks.ts';
import { FakeController, paged } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';

const root = '/api/v1/organizations/default/webhooks';
const at = '2026-01-01T00:00:00.000Z';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});
const muster = (...args: string[]) => runMuster(['webhook', ...args], { url: controller.url });

const webhook: Webhook = {
  id: '3b1f8a52-6c0e-4c8e-9f37-5a4a1f3f0d11',
  organization_name: 'default',
  name: 'ops',
  url: 'https://ops.example.org/muster',
  events: ['task.failed', 'device.*'],
  enabled: true,
  disabled_reason: null,
  pending: 2,
  failing_since: null,
  last_success_at: null,
  created_by: 'admin@example.org',
  created_at: at,
  updated_at: at,
};

const delivery: Delivery = {
  id: 'msg_000000000007_0a1b2c3d4e5f',
  webhook: 'ops',
  type: 'task.failed',
  status: 'FAILED',
  attempts: 10,
  next_attempt_at: null,
  last_attempt_at: at,
  response_status: 500,
  response: 'no room',
  duration_ms: 12,
  error: 'answered 500: expected 2xx',
  created_at: at,
  body: { type: 'task.failed' },
};

test('the secret of a new webhook stands alone on stdout', async () => {
  controller.on(`POST ${root}`, { status: 201, body: { ...webhook, secret: 'whsec_c2VjcmV0' } });
  const told = await muster(
    ...['add', 'https://ops.example.org/muster', '--name', 'ops'],
    ...['--event', 'task.failed', '--event', 'device.*'],
  );
  expect(told).toMatchObject({ exitCode: 0, stdout: 'whsec_c2VjcmV0\n' });
  expect(told.stderr).toContain('The secret is shown only now');
  expect(controller.seen[0]?.body).toEqual({
    url: 'https://ops.example.org/muster',
    name: 'ops',
    events: ['task.failed', 'device.*'],
  });
  controller.on(`POST ${root}/ops/rotate-secret`, { body: { ...webhook, secret: 'whsec_bmV3' } });
  expect((await muster('rotate-secret', 'ops')).stdout).toBe('whsec_bmV3\n');
});

test('list and describe tell the state, and why it is disabled', async () => {
  const failing = { ...webhook, name: 'pager', failing_since: at };
  controller.on(`GET ${root}`, ({ query }) => ({ body: paged([webhook, failing], query) }));
  controller.on(`GET ${root}/ops`, { body: { ...webhook, enabled: false, disabled_reason: 'gone' } });
  const { stdout } = await muster('list', '-f', 'simple', '--no-headers');
  expect(stdout).toMatch(/^ops +enabled +task.failed, device.\* +2 /);
  expect(stdout).toMatch(/\npager +failing /);
  expect((await muster('describe', 'ops')).stdout).toMatch(/State: +disabled: it answered 410/);
});

test('changes change what they say and nothing else', async () => {
  controller.on(`PATCH ${root}/ops`, { body: webhook });
  controller.on(`POST ${root}/ops/enable`, { body: webhook });
  controller.on(`POST ${root}/ops/disable`, { body: webhook });
  await muster('update', 'ops', '--event', 'run.*');
  await muster('enable', 'ops', '--catch-up');
  await muster('disable', 'ops');
  expect(controller.seen.map(({ body }) => body)).toEqual([{ events: ['run.*'] }, { catch_up: true }, {}]);
  expect((await muster('update', 'ops')).exitCode).toBe(2);
});

test('test fails when the message did not arrive', async () => {
  controller.on(`POST ${root}/ops/test`, { body: delivery });
  const told = await muster('test', 'ops');
  expect(told.exitCode).toBe(1);
  expect(told.stdout).toMatch(/Error: +answered 500: expected 2xx/);
  controller.on(`POST ${root}/ops/test`, { body: { ...delivery, status: 'DELIVERED', error: null } });
  expect((await muster('test', 'ops')).exitCode).toBe(0);
});

test('deliveries are listed, and sent again one or all', async () => {
  controller.on(`GET ${root}/ops/deliveries`, ({ query }) => ({ body: paged([delivery], query) }));
  controller.on(`POST ${root}/ops/redeliver`, { body: { webhook: 'ops', redelivered: 1 } });
  expect((await muster('deliveries', 'ops', '--failed', '-q')).stdout).toBe(`${delivery.id}\n`);
  expect(controller.seen[0]?.query).toMatchObject({ failed: 'true' });
  expect((await muster('redeliver', 'ops', delivery.id)).stderr).toContain('Sending 1 again');
  await muster('redeliver', 'ops', '--failed');
  expect(controller.requests(`POST ${root}/ops/redeliver`).map(({ body }) => body)).toEqual([
    { delivery: delivery.id },
    { failed: true },
  ]);
  expect((await muster('redeliver', 'ops')).exitCode).toBe(2);
});

test('remove needs --yes without a terminal', async () => {
  controller.on(`DELETE ${root}/ops`, { status: 204 });
  expect((await muster('remove', 'ops')).exitCode).toBe(2);
  expect((await muster('remove', 'ops', '--yes')).exitCode).toBe(0);
});
