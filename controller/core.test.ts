import { describe, expect, test } from 'vitest';
import { CoreUnderTest } from '../test/harness/core-under-test.ts';

describe('the way of a task', () => {
  test('goes from PENDING over offer, accepted and start to COMPLETED', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'));
    const [code = ''] = await controller.submit(['fw-1']);

    expect((await device.next('task.offer')).code).toBe(code);
    expect((await controller.task(code)).status).toBe('PENDING');
    device.accept(code);
    expect((await device.next('task.start')).codes).toEqual([code]);
    expect((await controller.task(code)).status).toBe('IN_PROGRESS');
    device.complete(code, { round_trip_ms: 3 });

    expect(await controller.reaches(code, 'COMPLETED')).toMatchObject({ result: { round_trip_ms: 3 } });
    expect((await device.next('report.ack')).seq).toBe(1);
    expect((await device.next('report.ack')).seq).toBe(2);
    expect(await controller.eventTypes(code)).toEqual(['task.created', 'task.started', 'task.completed']);
  });
});
