import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

const stored = async (controller: CoreUnderTest, id: string) =>
  (await controller.store.devices.get(id))?.lastSeenAt;

test('what is stored is when each device was heard last, not when it was written', async () => {
  await using controller = await CoreUnderTest.start({ heartbeatMs: 1_000_000, deadAfterMs: 2_000_000 });
  const [quiet, lively] = [await controller.device('quiet'), await controller.device('lively')];
  await controller.connect(quiet);
  const device = await controller.connect(lively);
  const start = controller.clock.now();
  await controller.clock.advance(20_000);
  device.socket.ping();
  await controller.clock.advance(45_000);

  expect(await stored(controller, quiet)).toBe(start);
  expect(await stored(controller, lively)).toBe(start + 20_000);
});

test('a device that is here was last seen when its link was last heard, whatever is stored yet', async () => {
  await using controller = await CoreUnderTest.start({ heartbeatMs: 25_000 });
  const id = await controller.device('fw-1');
  const row = { id, lastSeenAt: 7 };
  expect(controller.core.devices.lastSeen(row)).toBe(7);

  const device = await controller.connect(id);
  await controller.clock.advance(10_000);
  device.socket.ping();
  const heardAt = controller.clock.now();
  await controller.clock.advance(3_000);
  expect(controller.core.devices.lastSeen(row)).toBe(heardAt);
});

test('a device that fell silent was last seen when it was last heard, not when its link was given up', async () => {
  await using controller = await CoreUnderTest.start();
  const id = await controller.device('fw-1');
  const device = await controller.connect(id);
  const start = controller.clock.now();
  device.socket.answersPings = false;
  await controller.clock.advance(90_000);

  expect(controller.core.devices.isOnline(id)).toBe(false);
  expect(await stored(controller, id)).toBe(start);
});

test('a device that says good-bye was last seen then', async () => {
  await using controller = await CoreUnderTest.start();
  const id = await controller.device('fw-1');
  const device = await controller.connect(id);
  await controller.clock.advance(10_000);
  const left = controller.clock.now();
  device.socket.close(1000, 'done');
  await controller.clock.advance(5_000);
  expect(await stored(controller, id)).toBe(left);
});
