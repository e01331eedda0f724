import { expect, test } from 'vitest';
import { TaskOrder } from '../../shared/protocol/task.ts';
import { importPublicKey, verifyText } from '../../shared/node/keys.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import { settle } from '../../test/harness/test-clock.ts';

test('signs the order, numbers orders upwards, also across a restart', async () => {
  await using controller = await CoreUnderTest.start();
  const id = await controller.device('fw-1');
  const numbers: number[] = [];
  for (const connection of [1, 2]) {
    const device = await controller.connect(id, { connection, lastSeq: numbers.length * 2 });
    for (let round = 0; round < 2; round += 1) {
      const [code = ''] = await controller.submit(['fw-1'], { payload: { host: '127.0.0.1', count: 2 } });
      const offer = await device.next('task.offer');
      expect(verifyText(offer.order, offer.signature, importPublicKey(controller.keys.publicKey))).toBe(true);
      const order = TaskOrder.parse(JSON.parse(offer.order));
      expect(order).toMatchObject({
        device: id,
        code,
        taskType: 'PING',
        parameters: { host: '127.0.0.1', count: 2 },
        timeoutMs: 120_000,
        expiresAt: controller.clock.now() + 600_000,
      });
      numbers.push(order.sequence);
      device.accept(code);
      await device.next('task.start');
      device.complete(code);
      await controller.reaches(code, 'COMPLETED');
    }
    await controller.restart();
  }
  expect(numbers).toEqual([...numbers].sort((left, right) => left - right));
  expect(new Set(numbers).size).toBe(4);
});

test('a controller restored from a backup numbers its orders above those that devices have seen', async () => {
  await using controller = await CoreUnderTest.start();
  const id = await controller.device('fw-1');
  const numbers: number[] = [];
  for (const connection of [1, 2]) {
    const device = await controller.connect(id, { connection });
    await controller.submit(['fw-1'], { payload: { host: '127.0.0.1', count: 2 } });
    numbers.push(TaskOrder.parse(JSON.parse((await device.next('task.offer')).order)).sequence);
    await controller.clock.advance(1_000);
    await controller.store.settings.set('offer_sequence', '0'); // as the backup has it
    await controller.restart();
  }
  const [before = 0, after = 0] = numbers;
  expect(after).toBeGreaterThan(before);
});

test('offers the oldest pending task, each task once, and no more than the lane has slots', async () => {
  await using controller = await CoreUnderTest.start();
  const id = await controller.device('fw-1');
  const codes: string[] = [];
  for (let index = 0; index < 5; index += 1) codes.push(...(await controller.submit(['fw-1'])));
  const device = await controller.connect(id, { slots: { read: 2 } });
  await controller.clock.advance(3_000);
  expect(device.offers()).toEqual(codes.slice(0, 2));

  device.accept(codes[0] ?? '');
  await device.next('task.start');
  device.complete(codes[0] ?? '');
  await controller.clock.advance(100);
  expect(device.offers()).toEqual(codes.slice(0, 3));
});

test('lanes do not wait for each other', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'), { slots: { read: 1, script: 1 } });
  const [first] = await controller.submit(['fw-1']);
  const [second] = await controller.submit(['fw-1']);
  const [script] = await controller.submit(['fw-1'], { type: 'SCRIPT', payload: { argv: ['true'] } });
  await settle();
  expect(device.offers()).toEqual([first, script]);
  expect(second).toBeDefined();
});

test('a wake-up that is lost costs a poll, not the task', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await settle();
  await controller.store.transaction(async (tables) => {
    const now = controller.clock.now();
    const organizationId = controller.organization.id;
    await tables.tasks.insert([
      {
        id: 'an-id',
        code: 'aaaaaaaa',
        organizationId,
        deviceId: device.id,
        runId: null,
        type: 'PING',
        status: 'PENDING',
        lane: 'read',
        parameters: '{}',
        force: false,
        createdBy: 'test',
        createdAt: now,
        scheduledAt: null,
        expiresInMs: 60_000,
        timeoutMs: 60_000,
        expiresAt: now + 60_000,
        retryOf: null,
      },
    ]);
  });
  await settle();
  expect(device.offers()).toEqual([]);
  await controller.clock.advance(1_000);
  expect(device.offers()).toEqual(['aaaaaaaa']);
});

test('REBOOT waits for an idle device, and younger tasks wait for it', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  const [ping = ''] = await controller.submit(['fw-1']);
  await device.takeTask();
  const [reboot = ''] = await controller.submit(['fw-1'], { type: 'REBOOT' });
  const [later = ''] = await controller.submit(['fw-1']);
  await controller.clock.advance(2_000);
  expect(device.offers()).toEqual([ping]);

  device.complete(ping);
  await controller.clock.advance(100);
  expect(device.offers()).toEqual([ping, reboot]);
  device.accept(reboot);
  await controller.clock.advance(2_000);
  expect(device.offers()).toEqual([ping, reboot]);
  device.complete(reboot);
  await controller.clock.advance(100);
  expect(device.offers()).toEqual([ping, reboot, later]);
});

test('a passing refusal pauses the lane, shows why, and the task goes out again', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  const [code = ''] = await controller.submit(['fw-1']);
  await device.next('task.offer');
  device.send({ type: 'task.refused', code, reason: 'busy', message: 'no slot' });
  await controller.clock.advance(3_000);
  expect(await controller.task(code)).toMatchObject({
    status: 'PENDING',
    message: expect.stringContaining('busy'),
  });
  expect(device.offers()).toEqual([code]);
  await controller.clock.advance(3_000);
  expect(device.offers()).toEqual([code, code]);
  expect(await device.takeTask()).toBe(code);
});

test('an offer that is never answered is made again', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  const [code = ''] = await controller.submit(['fw-1']);
  await controller.clock.advance(29_000);
  expect(device.offers()).toEqual([code]);
  await controller.clock.advance(3_000);
  expect(device.offers()).toEqual([code, code]);
});

test('a device that finds an unexpired order expired has to learn the time again', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  const [code = ''] = await controller.submit(['fw-1']);
  await device.next('task.offer');
  device.send({ type: 'task.refused', code, reason: 'expired', message: 'too late' });
  expect((await device.closing()).code).toBe(1001);
  expect((await controller.task(code)).status).toBe('PENDING');
});

test('a refusal of something that was not offered changes nothing', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1']);
  const code = await device.takeTask();
  device.send({ type: 'task.refused', code, reason: 'policy', message: 'no' });
  device.send({ type: 'task.refused', code: 'zzzzzzzz', reason: 'policy', message: 'no' });
  await settle();
  expect((await controller.task(code)).status).toBe('IN_PROGRESS');
});
