import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

/** A device that said it powers off, and then was gone. */
async function poweredOff(controller: CoreUnderTest): Promise<{ id: string; code: string }> {
  const id = await controller.device('fw-1');
  const device = await controller.connect(id);
  await controller.submit(['fw-1'], { type: 'SHUTDOWN' });
  const code = await device.takeTask();
  await device.next('report.ack');
  device.report({ type: 'task.progress', code, attempt: 1, phase: 'powering_off', message: 'powering off' });
  await device.next('report.ack');
  device.socket.terminate();
  await controller.clock.advance(10);
  return { id, code };
}

test('SHUTDOWN is done when the device has stayed away', async () => {
  await using controller = await CoreUnderTest.start();
  const { code } = await poweredOff(controller);
  await controller.clock.advance(118_000);
  expect((await controller.task(code)).status).toBe('IN_PROGRESS');
  await controller.clock.advance(3_000);
  expect(await controller.task(code)).toMatchObject({
    status: 'COMPLETED',
    result: { powering_off_at: expect.any(String), link_closed_at: expect.any(String) },
  });
});

test('the absence counts from the controller’s start at the earliest', async () => {
  await using controller = await CoreUnderTest.start();
  const { code } = await poweredOff(controller);
  await controller.clock.advance(100_000);
  await controller.restart();
  await controller.clock.advance(100_000);
  expect((await controller.task(code)).status).toBe('IN_PROGRESS');
  await controller.clock.advance(22_000);
  // When the link closed, this controller does not know.
  expect(await controller.task(code)).toMatchObject({
    status: 'COMPLETED',
    result: { link_closed_at: null },
  });
});

test('a return with a new boot id proves it at once', async () => {
  await using controller = await CoreUnderTest.start();
  const { id, code } = await poweredOff(controller);
  const tasks = [{ code, attempt: 1, state: 'running' as const }];
  const hello = { epoch: 2, instanceId: 'instance-2', bootId: 'boot-2', lastSeq: 2, tasks };
  const device = controller.link(id);
  device.hello(hello);
  expect((await device.next('welcome')).tasks).toEqual([{ code, verdict: 'cancel' }]);
  expect(await controller.task(code)).toMatchObject({
    status: 'COMPLETED',
    result: { boot_id: 'boot-2', link_closed_at: null },
  });
});

test('a return on the same boot proves nothing: the device says that it is still up', async () => {
  await using controller = await CoreUnderTest.start();
  const { id, code } = await poweredOff(controller);
  const tasks = [{ code, attempt: 1, state: 'running' as const }];
  const device = await controller.connect(id, { epoch: 2, instanceId: 'instance-2', lastSeq: 2, tasks });
  await controller.clock.advance(125_000);
  expect((await controller.task(code)).status).toBe('IN_PROGRESS');
  device.fail(code, 'still_up');
  expect(await controller.reaches(code, 'FAILED')).toMatchObject({ errorCode: 'still_up' });
});

test('a device that goes away without a word has not shut down', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], { type: 'SHUTDOWN' });
  const code = await device.takeTask();
  device.socket.terminate();
  await controller.clock.advance(600_000);
  expect((await controller.task(code)).status).toBe('IN_PROGRESS');
  await controller.clock.advance(330_000);
  expect(await controller.task(code)).toMatchObject({ status: 'FAILED', errorCode: 'timed_out' });
});
