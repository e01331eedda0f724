import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closeCodes, protocolVersion } from '../../shared/protocol/version.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import { settle } from '../../test/harness/test-clock.ts';

const someHello = {
  type: 'hello',
  protocol: { min: 1, max: 1 },
  agentVersion: '1',
  bootId: 'b',
  instanceId: 'i',
  epoch: 1,
  connection: 1,
  storeId: 's',
  taskTypes: [],
  slots: {},
  tasks: [],
  lastSeq: 0,
  clock: 0,
  factsDigest: '',
};

describe('a link is closed with a code', () => {
  test.each([
    ['text that is no JSON', '{', closeCodes.badFrame],
    ['a value without a type', '[]', closeCodes.badFrame],
    [
      'a message before hello',
      JSON.stringify({ type: 'task.refused', code: 'aaaaaaaa', reason: '', message: '' }),
      closeCodes.helloExpected,
    ],
    ['a hello with a wrong field', JSON.stringify({ ...someHello, epoch: 0 }), closeCodes.badFrame],
    [
      'a hello of another protocol',
      JSON.stringify({ ...someHello, protocol: { min: 7, max: 9 } }),
      closeCodes.unsupportedProtocol,
    ],
    ['a frame over 1 MiB', ' '.repeat(1_048_577), closeCodes.frameTooLarge],
    ['a frame over 1 MiB in bytes, not in letters', `"${'é'.repeat(600_000)}"`, closeCodes.frameTooLarge],
  ])('for %s', async (_what, frame, code) => {
    await using controller = await CoreUnderTest.start();
    const device = controller.link(await controller.device('fw-1'));
    device.socket.send(frame);
    expect((await device.closing()).code).toBe(code);
    expect(controller.core.status().linksOpen).toBe(0);
  });

  test('for a second hello', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    device.hello({ connection: 2 });
    expect((await device.closing()).code).toBe(closeCodes.badFrame);
  });

  test('for reports before the welcome', async () => {
    await using controller = await CoreUnderTest.start();
    const device = controller.link(await controller.device('fw-1'));
    device.hello();
    device.accept('aaaaaaaa');
    expect((await device.closing()).code).toBe(closeCodes.badFrame);
  });

  test('for no hello in time', async () => {
    await using controller = await CoreUnderTest.start();
    const device = controller.link(await controller.device('fw-1'));
    await controller.clock.advance(9_000);
    expect(device.closed).toBeUndefined();
    await controller.clock.advance(2_000);
    expect(device.closed?.code).toBe(closeCodes.helloTimeout);
  });

  test('for not taking what it is sent', async () => {
    await using controller = await CoreUnderTest.start({ maxBufferedBytes: 1_000 });
    const id = await controller.device('fw-1');
    const device = await controller.connect(id);
    if (device.socket.peer) device.socket.peer.bufferedBytes = 1_001;
    await controller.submit(['fw-1']);
    expect((await device.closing()).code).toBe(closeCodes.overloaded);
  });
});

test('an unknown message is answered, and the link goes on', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  device.socket.send('{"type":"task.question","code":"x"}');
  expect(await device.next('error')).toMatchObject({ code: 'unknown_type' });
  await controller.submit(['fw-1']);
  await device.next('task.offer');
});

test('fields of a newer agent are ignored', async () => {
  await using controller = await CoreUnderTest.start();
  const device = controller.link(await controller.device('fw-1'));
  device.socket.send(
    JSON.stringify({ ...someHello, protocol: { min: 1, max: 5 }, mood: 'good', slots: { bulk: 1 } }),
  );
  expect((await device.next('welcome')).protocol).toBe(protocolVersion);
});

test('a silent link is pinged, and dropped when nothing answers', async () => {
  await using controller = await CoreUnderTest.start();
  const living = await controller.connect(await controller.device('fw-1'));
  const dead = await controller.connect(await controller.device('fw-2'), { storeId: 'store-2' });
  dead.socket.answersPings = false;
  await controller.clock.advance(58_000);
  expect(dead.closed).toBeUndefined();
  await controller.clock.advance(60_000);
  expect(dead.closed).toBeDefined();
  expect(living.closed).toBeUndefined();
  expect(controller.core.devices.onlineIds()).toEqual([living.id]);
});

test('stopping closes every link', async () => {
  const controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller[Symbol.asyncDispose]();
  expect((await device.closing()).code).toBe(closeCodes.goingAway);
});

test('no text a device sends breaks the controller or another link', async () => {
  await using controller = await CoreUnderTest.start();
  const bystander = await controller.connect(await controller.device('fw-1'));
  const id = await controller.device('fw-2');
  const types = fc.constantFrom('hello', 'report.batch', 'task.refused', 'facts.report', 'error', 'x');
  const frames = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({ type: types, reports: fc.jsonValue(), code: fc.jsonValue(), tasks: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frames, { maxLength: 5 }), async (texts) => {
      const device = controller.link(id);
      for (const text of texts) device.socket.send(text);
      await settle();
      device.socket.terminate();
    }),
    { numRuns: 50 },
  );
  await controller.submit(['fw-1']);
  await bystander.next('task.offer');
  expect(controller.core.status().ready).toBe(true);
});
