import { expect, test } from 'vitest';
import type { EventRow } from '../store/events.ts';
import { covers, eventBody } from './event-message.ts';

const event: EventRow = {
  cursor: 7,
  type: 'task.failed',
  at: Date.UTC(2026, 0, 1),
  organizationId: 'o1',
  organizationName: 'default',
  deviceId: 'd1',
  deviceName: 'fw-1',
  taskId: 't1',
  taskCode: 'aB3dE6gH',
  runId: 'r1',
  data: { status: 'FAILED', task_type: 'SYNC', by: 'device', error_code: 'rolled_back', task: 'not this' },
};

test('a body tells what happened, to which task of which device, and why', () => {
  expect(JSON.parse(eventBody(event, 'it cut itself off'))).toEqual({
    type: 'task.failed',
    timestamp: '2026-01-01T00:00:00.000Z',
    data: {
      cursor: 7,
      organization: 'default',
      device: 'fw-1',
      device_uuid: 'd1',
      task: 'aB3dE6gH',
      run: 'r1',
      status: 'FAILED',
      task_type: 'SYNC',
      by: 'device',
      error_code: 'rolled_back',
      error_message: 'it cut itself off',
    },
  });
});

test('a body is bounded: what an event says beyond that is left out, and that is said', () => {
  const body = eventBody({ ...event, data: { much: 'ü'.repeat(20_000) } }, 'e'.repeat(5000));
  const { data } = JSON.parse(body) as { data: Record<string, unknown> };
  expect(data).toMatchObject({ task: 'aB3dE6gH', truncated: true, error_message: 'e'.repeat(1000) });
  expect(data).not.toHaveProperty('much');
});

test.each([
  ['*', true],
  ['task.*', true],
  ['task.failed', true],
  ['task.fail', false],
  ['run.*', false],
  ['tas.*', false],
])('%s covers task.failed: %s', (pattern, does) => {
  expect(covers(['device.removed', pattern], 'task.failed')).toBe(does);
});
