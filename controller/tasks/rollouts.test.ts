import { expect, test } from 'vitest';
import type { Rollout } from '../../shared/api/tasks.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import type { ScriptedDevice } from '../../test/harness/scripted-device.ts';

/** So many devices that are here, `away` more that are not, and a SCRIPT rolled out on all of them. */
async function rollOut(controller: CoreUnderTest, online: number, rollout: Rollout, away = 0) {
  const devices: ScriptedDevice[] = [];
  for (let index = 0; index < online + away; index += 1) {
    const id = await controller.device(`fw-${index}`);
    if (index >= away) devices.push(await controller.connect(id, { storeId: `store-${index}` }));
  }
  const codes = await controller.submit(['fw-.*'], {
    type: 'SCRIPT',
    payload: { script: 'x' },
    expires_in_seconds: 60,
    rollout,
  });
  await controller.clock.advance(50);
  return { devices, codes, offered: () => devices.filter((device) => device.offers().length > 0) };
}

async function work(device: ScriptedDevice | undefined, how: 'complete' | 'fail'): Promise<void> {
  if (device === undefined) throw new Error('nothing was offered');
  const code = device.offers().at(-1) ?? '';
  device.accept(code);
  await device.next('task.start');
  device[how](code);
  await device.next('report.ack');
  await device.next('report.ack');
}

test('a batch lets only so many work at a time, and goes on as they end', async () => {
  await using controller = await CoreUnderTest.start();
  const { offered } = await rollOut(controller, 5, { batch: '2' });
  expect(offered()).toHaveLength(2);
  await controller.clock.advance(3_000);
  expect(offered()).toHaveLength(2);
  await work(offered()[0], 'complete');
  await controller.clock.advance(10);
  expect(offered()).toHaveLength(3);
  await work(offered()[1], 'fail');
  await controller.clock.advance(10);
  expect(offered()).toHaveLength(4);
});

test('an offline device takes no place in a batch', async () => {
  await using controller = await CoreUnderTest.start();
  const { offered } = await rollOut(controller, 2, { batch: '2' }, 3);
  expect(offered()).toHaveLength(2);
});

test('a failed canary stops the run: what waits is cancelled and says why', async () => {
  await using controller = await CoreUnderTest.start();
  const { offered, codes } = await rollOut(controller, 4, { canary: 1 });
  expect(offered()).toHaveLength(1);
  await work(offered()[0], 'fail');
  await controller.clock.advance(1_100);
  const states = await Promise.all(codes.map((code) => controller.task(code)));
  expect(states.map(({ status }) => status).sort()).toEqual([
    'CANCELLED',
    'CANCELLED',
    'CANCELLED',
    'FAILED',
  ]);
  expect(states.find(({ status }) => status === 'CANCELLED')).toMatchObject({ errorCode: 'rollout_stopped' });
  expect(offered()).toHaveLength(1);
  expect(await controller.eventTypes()).toContain('run.stopped');
  const run = await controller.store.runs.get(undefined, states[0]?.runId ?? '');
  expect(run?.stoppedReason).toContain('canary');
});

test('after the canary all others go', async () => {
  await using controller = await CoreUnderTest.start();
  const { offered } = await rollOut(controller, 4, { canary: 1 });
  await work(offered()[0], 'complete');
  await controller.clock.advance(10);
  expect(offered()).toHaveLength(4);
});

test('too many failures stop the run; what was offered and not taken is told to forget', async () => {
  await using controller = await CoreUnderTest.start();
  const { offered } = await rollOut(controller, 3, { max_failures: '0', batch: '2' });
  const [first, second] = offered();
  await work(first, 'fail');
  await controller.clock.advance(1_100);
  const code = second?.offers()[0] ?? '';
  second?.accept(code);
  expect((await second?.next('task.forget'))?.codes).toEqual([code]);
  expect((await controller.task(code)).status).toBe('CANCELLED');
});

test('waiting for its turn does not let a task of an online device expire', async () => {
  await using controller = await CoreUnderTest.start();
  const { offered, codes } = await rollOut(controller, 2, { batch: '1' }, 1);
  const [device] = offered();
  const code = device?.offers()[0] ?? '';
  device?.accept(code);
  await device?.next('task.start');
  await controller.clock.advance(70_000);
  const states = await Promise.all(codes.map(async (one) => (await controller.task(one)).status));
  // fw-0 is away, and its task expires; fw-2 waits for its turn behind fw-1.
  expect(states).toEqual(['EXPIRED', 'IN_PROGRESS', 'PENDING']);
});
