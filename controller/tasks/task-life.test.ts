import { describe, expect, test } from 'vitest';
import type { AppError } from '../../shared/errors.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

const minute = 60_000;

describe('a task that waits', () => {
  test('is SCHEDULED until its time, then PENDING, and expires counted from there', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    const at = controller.clock.now() + 30 * minute;
    const [code = ''] = await controller.submit(['fw-1'], { scheduled_at: new Date(at).toISOString() });
    expect(await controller.task(code)).toMatchObject({ status: 'SCHEDULED', expiresAt: null });

    await controller.clock.advance(29 * minute);
    expect((await controller.task(code)).status).toBe('SCHEDULED');
    await controller.clock.advance(minute + 1_000);
    const pending = await controller.task(code);
    expect(pending.status).toBe('PENDING');
    expect(pending.expiresAt).toBeGreaterThanOrEqual(at + 10 * minute);
    expect(await controller.eventTypes(code)).toEqual(['task.created', 'task.pending']);
  });

  test('is EXPIRED when its device does not come in time', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    const [code = ''] = await controller.submit(['fw-1']);
    await controller.clock.advance(10 * minute - 2_000);
    expect((await controller.task(code)).status).toBe('PENDING');
    await controller.clock.advance(3_000);
    expect((await controller.task(code)).status).toBe('EXPIRED');
  });

  test('fails when the device will never take it', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    const [code = ''] = await controller.submit(['fw-1']);
    await device.next('task.offer');
    device.send({ type: 'task.refused', code, reason: 'policy', message: 'PING is not allowed here' });
    expect(await controller.reaches(code, 'FAILED')).toMatchObject({
      errorCode: 'policy',
      errorMessage: 'PING is not allowed here',
    });
  });

  test('fails with its device', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    const [running = ''] = await controller.submit(['fw-1'], { type: 'SCRIPT', payload: { script: 'x' } });
    await device.takeTask();
    const at = new Date(controller.clock.now() + minute).toISOString();
    const [scheduled = ''] = await controller.submit(['fw-1'], { scheduled_at: at });

    await controller.core.devices.remove(controller.actor, 'fw-1');
    for (const code of [running, scheduled]) {
      expect(await controller.task(code)).toMatchObject({ status: 'FAILED', errorCode: 'device_removed' });
    }
    expect((await device.closing()).code).toBe(4007);
  });
});

describe('a task that runs', () => {
  test('fails as the device says', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.submit(['fw-1']);
    const code = await device.takeTask();
    device.fail(code, 'no_replies');
    expect(await controller.reaches(code, 'FAILED')).toMatchObject({ errorCode: 'no_replies' });
  });

  test('fails as timed_out a grace after its timeout, and is asked to stop', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.submit(['fw-1'], { timeout_seconds: 5 });
    const code = await device.takeTask();
    await controller.clock.advance(19_000);
    expect((await controller.task(code)).status).toBe('IN_PROGRESS');
    await controller.clock.advance(2_500);
    expect(await controller.task(code)).toMatchObject({ status: 'FAILED', errorCode: 'timed_out' });
    expect((await device.next('task.cancel')).code).toBe(code);
  });

  test('keeps a result that comes after the time-out as evidence, acknowledged', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.submit(['fw-1'], { timeout_seconds: 1 });
    const code = await device.takeTask();
    await device.next('report.ack');
    await controller.clock.advance(18_000);
    device.complete(code, { round_trip_ms: 1 });
    await device.next('report.ack');
    expect(await controller.task(code)).toMatchObject({
      status: 'FAILED',
      errorCode: 'timed_out',
      lateResult: { outcome: 'COMPLETED', result: { round_trip_ms: 1 } },
    });
    expect(await controller.eventTypes(code)).toContain('task.late_result');
  });

  test('shows progress and keeps its output, line by line', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.submit(['fw-1'], { type: 'SCRIPT', payload: { script: 'x' } });
    const code = await device.takeTask();
    device.report(
      { type: 'task.progress', code, attempt: 1, percent: 40, message: 'half way' },
      { type: 'task.log', code, line: 1, stream: 'stdout', text: 'one' },
      { type: 'task.log', code, line: 2, stream: 'stderr', text: 'two' },
    );
    await device.next('report.ack');
    await device.next('report.ack');
    const task = await controller.task(code);
    expect(task).toMatchObject({ status: 'IN_PROGRESS', progress: 40, message: 'half way' });
    const lines = await controller.store.logs.read(task.id, 0, 10);
    expect(lines.map(({ stream, text }) => `${stream} ${text}`)).toEqual(['stdout one', 'stderr two']);
  });
});

describe('cancelling', () => {
  test.each(['PENDING', 'SCHEDULED'] as const)(
    'ends a %s task at once, and again without complaint',
    async (state) => {
      await using controller = await CoreUnderTest.start();
      await controller.device('fw-1');
      const at = new Date(controller.clock.now() + minute).toISOString();
      const [code = ''] = await controller.submit(
        ['fw-1'],
        state === 'SCHEDULED' ? { scheduled_at: at } : {},
      );
      for (const _time of [1, 2]) {
        const task = await controller.core.cancelTask(controller.actor, code, { request: false });
        expect(task.status).toBe('CANCELLED');
      }
      expect((await controller.eventTypes(code)).filter((type) => type === 'task.cancelled')).toHaveLength(1);
    },
  );

  test('a running task needs a request, which the device confirms', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.submit(['fw-1'], { type: 'SCRIPT', payload: { script: 'x' } });
    const code = await device.takeTask();
    await expect(controller.core.cancelTask(controller.actor, code, { request: false })).rejects.toThrow(
      `Task ${code} is IN_PROGRESS and can no longer be cancelled; ask the device`,
    );

    const asked = await controller.core.cancelTask(controller.actor, code, { request: true });
    expect(asked).toMatchObject({ status: 'IN_PROGRESS', cancelRequestedAt: controller.clock.now() });
    expect((await device.next('task.cancel')).code).toBe(code);
    device.report({ type: 'task.cancelled', code, attempt: 1 });
    expect((await controller.reaches(code, 'CANCELLED')).status).toBe('CANCELLED');
  });

  test('a request loses against the natural result', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.submit(['fw-1'], { type: 'SCRIPT', payload: { script: 'x' } });
    const code = await device.takeTask();
    await controller.core.cancelTask(controller.actor, code, { request: true });
    device.complete(code);
    expect((await controller.reaches(code, 'COMPLETED')).lateResult).toBeNull();
  });

  test('a stop that nobody asked for is a failure', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.submit(['fw-1'], { type: 'SCRIPT', payload: { script: 'x' } });
    const code = await device.takeTask();
    device.report({ type: 'task.cancelled', code, attempt: 1 });
    expect(await controller.reaches(code, 'FAILED')).toMatchObject({ errorCode: 'interrupted' });
  });

  test('a REBOOT that has started is refused, requested or not', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.submit(['fw-1'], { type: 'REBOOT' });
    const code = await device.takeTask();
    for (const request of [true, false]) {
      const refused = controller.core.cancelTask(controller.actor, code, { request });
      await expect(refused).rejects.toMatchObject({
        code: 'not_cancellable',
        message: `Task ${code} is IN_PROGRESS and can no longer be cancelled; REBOOT cannot be stopped once it has started`,
      });
    }
  });

  test('an ended task is refused, an unknown one is not found, another organization’s neither', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.submit(['fw-1']);
    const code = await device.takeTask();
    device.complete(code);
    await controller.reaches(code, 'COMPLETED');
    const cancel = (actor = controller.actor, which = code) =>
      controller.core.cancelTask(actor, which, { request: true }).catch((error: AppError) => error.code);
    expect(await cancel()).toBe('not_cancellable');
    expect(await cancel(controller.actor, 'zzzzzzzz')).toBe('not_found');
    expect(await cancel({ ...controller.actor, organizationId: 'another' })).toBe('not_found');
  });

  test('a run ends what waits, asks what runs, and counts both', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    await controller.device('fw-2');
    const codes = await controller.submit(['fw-1', 'fw-2'], { type: 'SCRIPT', payload: { script: 'x' } });
    await device.takeTask();
    const { runId } = await controller.task(codes[0] ?? '');
    const answer = await controller.core.cancelRun(controller.actor, runId ?? '', { request: true });
    expect(answer).toEqual({ run: runId, cancelled: 1, requested: 1, still_running: 1 });
    expect((await device.next('task.cancel')).code).toBe(codes[0]);
  });
});

describe('races', () => {
  test('an accept that comes after the cancel is told to forget', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    const [code = ''] = await controller.submit(['fw-1']);
    await device.next('task.offer');
    await controller.core.cancelTask(controller.actor, code, { request: false });
    device.accept(code);
    expect((await device.next('task.forget')).codes).toEqual([code]);
    expect((await controller.task(code)).status).toBe('CANCELLED');
    expect(device.received.some(({ type }) => type === 'task.start')).toBe(false);
  });

  test('a cancel that comes after the accept is refused', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    const [code = ''] = await controller.submit(['fw-1']);
    await device.takeTask();
    await expect(controller.core.cancelTask(controller.actor, code, { request: false })).rejects.toThrow(
      'IN_PROGRESS',
    );
  });

  test('cancel and accept at the same moment: one of them wins, and both sides agree', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    for (let round = 0; round < 20; round += 1) {
      const [code = ''] = await controller.submit(['fw-1']);
      await device.next('task.offer');
      device.accept(code);
      const cancelled = await controller.core.cancelTask(controller.actor, code, { request: false }).then(
        () => true,
        () => false,
      );
      await device.next('report.ack');
      const told = device.received.some(
        (message) => message.type === 'task.start' && message.codes.includes(code),
      );
      expect(told).toBe(!cancelled);
      expect((await controller.task(code)).status).toBe(cancelled ? 'CANCELLED' : 'IN_PROGRESS');
      if (!cancelled) device.complete(code);
    }
  });

  test('an accept that comes after the expiry is told to forget, and the task never ran', async () => {
    await using controller = await CoreUnderTest.start({ pollMs: 60_000 });
    const device = await controller.connect(await controller.device('fw-1'));
    const [code = ''] = await controller.submit(['fw-1'], { expires_in_seconds: 5 });
    await device.next('task.offer');
    // Past its expiry, and the dispatcher has not looked yet.
    controller.clock.jump(6_000);
    device.accept(code);
    expect((await device.next('task.forget')).codes).toEqual([code]);
    await controller.clock.advance(60_000);
    expect((await controller.task(code)).status).toBe('EXPIRED');
  });
});
