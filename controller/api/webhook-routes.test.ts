import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiUnderTest, type Member } from '../../test/harness/api.ts';
import { until } from '../../test/harness/until.ts';
import { isSigned, WebhookReceiver } from '../../test/harness/webhook-receiver.ts';

const root = '/api/v1/organizations/default/webhooks';

let api: ApiUnderTest;
let operator: Member;
let receiver: WebhookReceiver;
beforeAll(async () => {
  api = await ApiUnderTest.start();
  operator = await api.member('operator');
  receiver = await WebhookReceiver.start();
  api.run();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

test('a run is told as it happens, and the secret is shown once and lies nowhere', async () => {
  const made = await api.call('POST', root, {
    body: { url: `${receiver.url}?token=in-the-url`, name: 'ops', events: ['run.*', 'task.*'] },
  });
  expect(made.status).toBe(201);
  const secret = String(made.body['secret']);
  await api.device('fw-1');
  const { run, tasks } = await api.submit(['fw-1']);
  await until('two arrive', () => receiver.received.length === 2);

  expect(receiver.received.every((message) => isSigned(message, secret))).toBe(true);
  const created = receiver.received.find(({ body }) => body.type === 'task.created');
  expect(created?.body.data).toMatchObject({
    run,
    task: tasks[0],
    device: 'fw-1',
    status: 'PENDING',
    task_type: 'PING',
    organization: 'default',
  });

  const told = await Promise.all(
    [root, `${root}/ops`, `${root}/ops/deliveries`].map((path) => api.call('GET', path, { as: operator })),
  );
  const audit = await api.call('GET', '/api/v1/organizations/default/audit');
  for (const { text } of [...told, audit]) expect(text).not.toContain(secret.slice(6));
  expect(audit.text).toContain('webhook.create');
  expect(audit.text).not.toContain('in-the-url');
  const row = await api.store.webhooks.get(api.admin.organization.id, 'ops');
  expect(JSON.stringify(row)).not.toContain(secret.slice(6));
});

test('names are unique, and come after the host when none is given', async () => {
  const body = { url: 'http://8.8.8.8/hook', enabled: false };
  expect((await api.call('POST', root, { body })).body['name']).toBe('8.8.8.8');
  expect(await api.call('POST', root, { body })).toMatchObject({
    status: 409,
    body: { code: 'name_taken' },
  });
  const changed = await api.call('PATCH', `${root}/8.8.8.8`, { body: { name: 'dns', events: ['device.*'] } });
  expect(changed.body).toMatchObject({ name: 'dns', url: 'http://8.8.8.8/hook', events: ['device.*'] });
  expect((await api.call('DELETE', `${root}/dns`)).status).toBe(204);
  expect((await api.call('GET', `${root}/dns`)).status).toBe(404);
});

test.each([
  [{ url: 'ftp://example.org' }, /expected https/],
  [
    { url: 'http://example.org', events: ['task.exploded'] },
    /expected \*, a type of event such as task.failed/,
  ],
  [{ url: 'http://example.org', events: [] }, /events/],
  [{ url: 'http://example.org', name: 'two words' }, /expected a name/],
  [{ url: 'http://example.org', secret: 'mine' }, /secret/],
])('%j is refused', async (body, why) => {
  const answer = await api.call('POST', root, { body });
  expect(answer.status).toBe(400);
  expect(answer.body['error']).toMatch(why);
});

test('there are at most fifty', async () => {
  const before = await api.store.webhooks.list(api.admin.organization.id, { page: 1, perPage: 1 });
  for (let number = before.total; number < 50; number += 1) {
    const body = { url: receiver.url, name: `hook-${number}`, enabled: false };
    expect((await api.call('POST', root, { body })).status).toBe(201);
  }
  const refused = await api.call('POST', root, { body: { url: receiver.url, name: 'one-too-many' } });
  expect(refused).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect((await api.call('GET', `${root}?per_page=100`)).body['total']).toBe(50);
});

test('a test tells what came of it, also of one that is disabled', async () => {
  receiver.answers(500);
  const failed = await api.call('POST', `${root}/hook-9/test`, { body: {} });
  expect(failed.body).toMatchObject({ type: 'webhook.test', status: 'FAILED', response_status: 500 });
  receiver.answers(200);
  const arrived = await api.call('POST', `${root}/hook-9/test`, { body: {} });
  expect(arrived.body).toMatchObject({ status: 'DELIVERED', attempts: 1, next_attempt_at: null });
  const one = { body: { delivery: String(failed.body['id']) } };
  expect((await api.call('POST', `${root}/hook-9/redeliver`, one)).status).toBe(409);
  await api.call('POST', `${root}/hook-9/enable`, { body: {} });
  expect((await api.call('POST', `${root}/hook-9/redeliver`, one)).body).toEqual({
    webhook: 'hook-9',
    redelivered: 1,
  });
  await until(
    'it arrives',
    () => receiver.received.filter(({ id }) => id === failed.body['id']).length === 2,
  );
});
