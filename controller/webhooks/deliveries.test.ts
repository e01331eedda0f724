import { expect, test } from 'vitest';
import { until } from '../../test/harness/until.ts';
import { isSigned, WebhookReceiver } from '../../test/harness/webhook-receiver.ts';
import { WebhooksUnderTest } from '../../test/harness/webhooks-under-test.ts';

const hourMs = 3_600_000;

test('what a webhook asked for arrives, signed, in the order it happened when nothing fails', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.event('task.failed', { before: 'the webhook' });
  const secret = await webhooks.add({ url: receiver.url, name: 'ops', events: ['task.failed', 'device.*'] });

  await webhooks.event('task.failed', { task_type: 'SYNC', error_code: 'rolled_back' });
  await webhooks.event('task.completed');
  await webhooks.event('device.offline', { name: 'fw-1' });
  await webhooks.event('device.offline', { name: 'of another' }, 'away');
  await webhooks.until('both arrived', () => receiver.received.length === 2);

  const [first] = receiver.received;
  expect(receiver.received.every((message) => isSigned(message, secret))).toBe(true);
  expect([...receiver.types].sort()).toEqual(['device.offline', 'task.failed']);
  expect(first?.body.timestamp).toMatch(/^2026-01-01T00:00:0/);
  expect(receiver.received.find(({ body }) => body.type === 'task.failed')?.body.data).toMatchObject({
    task_type: 'SYNC',
    error_code: 'rolled_back',
    organization: 'home',
    device: null,
    run: null,
  });
  await webhooks.until('they are noted', () => webhooks.isOver('ops'));
  expect(await webhooks.deliveries('ops')).toMatchObject([
    { status: 'DELIVERED', attempts: 1, responseStatus: 200 },
    { status: 'DELIVERED', attempts: 1, responseStatus: 200 },
  ]);
});

test('a failed attempt is made again with the same id and body, and another timestamp', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  const secret = await webhooks.add({ url: receiver.url, name: 'ops' });
  receiver.answers(500);
  await webhooks.event('run.created', { total: 3 });
  await webhooks.until('three attempts', () => receiver.received.length === 3, 2_000);
  receiver.answers(204);
  await webhooks.until('it arrived', () => webhooks.isOver('ops'), 2_000);

  const { received } = receiver;
  expect(new Set(received.map(({ id }) => id)).size).toBe(1);
  expect(new Set(received.map(({ text }) => text)).size).toBe(1);
  expect(new Set(received.map(({ timestamp }) => timestamp)).size).toBeGreaterThan(1);
  expect(received.every((message) => isSigned(message, secret))).toBe(true);
  expect((await webhooks.service.get('home', 'ops')).failingSince).toBeNull();
});

test('after ten attempts a delivery has failed, and can be sent again under its id', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: receiver.url, name: 'ops' });
  receiver.answers(503);
  await webhooks.event('run.created');
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    await webhooks.until(`attempt ${attempt} is noted`, async () => {
      const [delivery] = await webhooks.deliveries('ops');
      return delivery?.attempts === attempt && delivery.error !== null && receiver.open.size === 0;
    });
    const [delivery] = await webhooks.deliveries('ops');
    webhooks.clock.jump(Math.max(0, (delivery?.nextAt ?? 0) - webhooks.clock.now()));
  }
  await webhooks.until('it failed for good', () => webhooks.isOver('ops'));
  expect(receiver.received).toHaveLength(10);
  const [failed] = await webhooks.deliveries('ops');
  expect(failed).toMatchObject({ status: 'FAILED', attempts: 10, responseStatus: 503, response: 'no' });

  receiver.answers(200);
  expect(await webhooks.service.redeliver(webhooks.actor, 'ops', { failed: true })).toBe(1);
  await webhooks.until('it arrived', () => webhooks.isOver('ops'));
  expect(receiver.received.at(-1)?.id).toBe(failed?.id);
  await expect(
    webhooks.service.redeliver(webhooks.actor, 'ops', { delivery: 'msg_unknown' }),
  ).rejects.toMatchObject({ code: 'not_found' });
});

test('410 disables the webhook at once, with an event and an audit entry', async () => {
  await using receiver = await WebhookReceiver.start();
  await using other = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: receiver.url, name: 'ops' });
  await webhooks.add({ url: other.url, name: 'other', events: ['webhook.*'] });
  receiver.answers(410);
  await webhooks.event('run.created');
  await webhooks.until('the other is told', () => other.received.length === 1);

  expect(other.received[0]?.body).toMatchObject({
    type: 'webhook.disabled',
    data: { webhook: 'ops', reason: 'gone' },
  });
  expect(await webhooks.service.get('home', 'ops')).toMatchObject({ enabled: false, disabledReason: 'gone' });
  const audit = await webhooks.store.audit.list({ organizationId: 'home' }, { page: 1, perPage: 9 });
  expect(audit.items[0]).toMatchObject({ actor: 'controller', action: 'webhook.disable', target: 'ops' });
  await webhooks.event('run.created');
  await webhooks.until('time passes', () => true, 10_000);
  expect(receiver.received).toHaveLength(1);
});

test('a webhook that nothing reaches for three days is disabled; catching up sends what it missed', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: receiver.url, name: 'ops', events: ['run.*'] });
  receiver.answers(500);
  await webhooks.event('run.created', { number: 1 });
  await webhooks.until('it fails', async () => (await webhooks.service.get('home', 'ops')).failingSince);
  webhooks.clock.jump(71 * hourMs);
  await webhooks.event('run.created', { number: 2 });
  await webhooks.until('it is tried', async () =>
    (await webhooks.deliveries('ops')).some(
      ({ body, attempts }) => body.includes('"number":2') && attempts > 0,
    ),
  );
  expect((await webhooks.service.get('home', 'ops')).enabled).toBe(true);
  webhooks.clock.jump(hourMs);
  await webhooks.event('run.created', { number: 2.5 });
  await webhooks.until('it is disabled', async () => !(await webhooks.service.get('home', 'ops')).enabled);
  expect((await webhooks.service.get('home', 'ops')).disabledReason).toBe('failing');

  receiver.answers(200);
  await webhooks.event('run.created', { number: 3 });
  const before = receiver.received.length;
  await webhooks.service.enable(webhooks.actor, 'ops', true);
  await webhooks.until('what was missed arrives', () =>
    receiver.received.slice(before).some(({ body }) => body.data['number'] === 3),
  );
});

test('enabled again it is told of what comes next only', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: receiver.url, name: 'ops' });
  await webhooks.service.disable(webhooks.actor, 'ops');
  await webhooks.event('run.created', { number: 1 });
  await webhooks.service.enable(webhooks.actor, 'ops', false);
  await webhooks.event('run.created', { number: 2 });
  await webhooks.until('one arrives', () =>
    webhooks.isOver('ops').then((over) => over && receiver.received.length),
  );
  expect(receiver.received.map(({ body }) => body.data['number'])).toEqual([2]);
});

test('an endpoint that never answers is given up after ten seconds, and delays no other', async () => {
  await using slow = await WebhookReceiver.start();
  await using quick = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: slow.url, name: 'slow' });
  await webhooks.add({ url: quick.url, name: 'quick' });
  slow.answer = () => undefined;
  for (let number = 0; number < 20; number += 1) await webhooks.event('run.created', { number });

  await until('the quick one has all', async () => {
    await webhooks.clock.advance(30); // far from the ten seconds in sum
    return quick.received.length === 20;
  });
  expect(slow.received).toHaveLength(4);
  await webhooks.until('the attempts are over', () => slow.open.size === 0, 2_000);
  await webhooks.until('that is noted', async () =>
    (await webhooks.deliveries('slow')).some(({ error }) => error === 'no answer within 10 s'),
  );
  // Now that it fails it is asked one thing at a time.
  await webhooks.until('it is asked again', () => slow.received.length >= 5, 500);
  expect(slow.open.size).toBe(1);
});

test('redirects are not followed, and a huge answer is not read', async () => {
  await using target = await WebhookReceiver.start();
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: receiver.url, name: 'ops', enabled: false });
  receiver.answers(307, { location: target.url });
  const redirected = await webhooks.service.test(webhooks.actor, 'ops');
  expect(redirected).toMatchObject({ status: 'FAILED', responseStatus: 307, attempts: 1 });
  expect(redirected.error).toContain('redirects are not followed');
  expect(target.received).toEqual([]);

  let written = 0;
  receiver.answer = (response) => {
    response.writeHead(500);
    const write = (): void => {
      while (written < 64 * 1024 * 1024 && !response.destroyed) {
        written += 65_536;
        if (!response.write(Buffer.alloc(65_536, 'x'))) return void response.once('drain', write);
      }
      response.end();
    };
    write();
  };
  const huge = await webhooks.service.test(webhooks.actor, 'ops');
  expect(huge).toMatchObject({ status: 'FAILED', responseStatus: 500, response: 'x'.repeat(1024) });
  expect(written).toBeLessThan(16 * 1024 * 1024);
});

test('Retry-After is waited for', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: receiver.url, name: 'ops' });
  receiver.answers(429, { 'retry-after': '3600' });
  const started = webhooks.clock.now();
  await webhooks.event('run.created');
  await webhooks.until('it was noted', async () => (await webhooks.deliveries('ops'))[0]?.error);
  webhooks.clock.jump(hourMs - 60_000);
  await webhooks.until('it would come', () => true, 30_000);
  expect(receiver.received).toHaveLength(1);
  await webhooks.until('it is tried again', () => receiver.received.length === 2, 1_000);
  expect(webhooks.clock.now() - started).toBeGreaterThanOrEqual(hourMs);
});

test('whoever stops in the middle of an attempt makes it again, with the same id, and loses nothing', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: receiver.url, name: 'ops' });
  receiver.answer = () => undefined;
  for (let number = 0; number < 10; number += 1) await webhooks.event('run.created', { number });
  await webhooks.until('some are under way', () => receiver.received.length === 4);
  const interrupted = receiver.received.map(({ id }) => id);
  await webhooks.stop();
  await webhooks.event('run.created', { number: 10 }); // nobody runs
  receiver.answers(200);
  receiver.received.length = 0;
  webhooks.run();
  await webhooks.until(
    'all arrived',
    async () => (await webhooks.isOver('ops')) && receiver.received.length > 10,
    500,
  );

  const numbers = receiver.received.map(({ body }) => Number(body.data['number']));
  expect(numbers.sort((left, right) => left - right)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const ids = receiver.received.map(({ id }) => id);
  expect(ids).toEqual(expect.arrayContaining(interrupted));
  expect(new Set(ids).size).toBe(11);
});

test('events that were deleted before they were told are a gap that is told', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: receiver.url, name: 'ops', events: ['run.*'] });
  await webhooks.stop();
  for (let number = 0; number < 5; number += 1) await webhooks.event('run.created', { number });
  await webhooks.store.events.prune(2, 0);
  webhooks.run();
  await webhooks.until('the rest arrived', () => receiver.received.length === 3);
  const gap = receiver.received.find(({ body }) => body.type === 'webhook.gap');
  expect(gap?.body.data).toMatchObject({ from_cursor: 1, to_cursor: 3 });
  expect(receiver.types.filter((type) => type === 'run.created')).toHaveLength(2);
});

test('both secrets sign for a day after a change', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  const old = await webhooks.add({ url: receiver.url, name: 'ops' });
  const { secret } = await webhooks.service.rotateSecret(webhooks.actor, 'ops');
  expect(secret).not.toBe(old);
  await webhooks.service.test(webhooks.actor, 'ops');
  webhooks.clock.jump(25 * hourMs);
  await webhooks.service.test(webhooks.actor, 'ops');
  const signed = receiver.received.map((message) => [isSigned(message, old), isSigned(message, secret)]);
  expect(signed).toEqual([
    [true, true],
    [false, true],
  ]);
});

test('deliveries that are over are bounded in number and age', async () => {
  await using receiver = await WebhookReceiver.start();
  await using webhooks = await WebhooksUnderTest.start();
  await webhooks.add({ url: receiver.url, name: 'ops' });
  await webhooks.event('run.created');
  await webhooks.until('it arrived', () =>
    webhooks.isOver('ops').then((over) => over && receiver.received.length),
  );
  webhooks.clock.jump(13 * 24 * hourMs);
  await webhooks.clock.advance(61_000);
  expect(await webhooks.deliveries('ops')).toHaveLength(1);
  webhooks.clock.jump(25 * hourMs);
  await webhooks.clock.advance(61_000);
  expect(await webhooks.deliveries('ops')).toEqual([]);
});
