import { z } from 'zod';
import { Timestamp } from './common.ts';

/** What can happen. `task.*` follow the moves of a task. */
export const eventTypes = [
  'run.created',
  'run.stopped',
  'run.ended',
  'task.created',
  'task.pending',
  'task.started',
  'task.progress',
  'task.completed',
  'task.failed',
  'task.cancelled',
  'task.expired',
  'task.cancel_requested',
  'task.late_result',
  'question.asked',
  'question.answered',
  'question.expired',
  'question.withdrawn',
  'question.taken',
  'device.enrolled',
  'device.approved',
  'device.disabled',
  'device.renamed',
  'device.labelled',
  'device.removed',
  'device.online',
  'device.offline',
  'device.quarantined',
  'device.key_wanted',
  'device.key_rotated',
  'device.key_revoked',
  'device.rebound',
  'device.drift',
  'schedule.created',
  'schedule.changed',
  'schedule.deleted',
  'schedule.fired',
  'schedule.skipped',
  'session.opened',
  'session.joined',
  'session.closed',
  'webhook.disabled',
] as const;
export const EventType = z.enum(eventTypes);
export type EventType = z.output<typeof EventType>;

/** One change. As a server-sent event: `id` is the cursor, `event` the type, `data` this object. */
export const MusterEvent = z.object({
  cursor: z.int(),
  type: EventType,
  at: Timestamp,
  organization: z.string(),
  device: z.string().nullable().describe('device name'),
  task: z.string().nullable().describe('task code'),
  run: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
});
export type MusterEvent = z.output<typeof MusterEvent>;

/**
 * GET /api/v1/events: resumes after `Last-Event-ID` or `after`, else starts with what comes next. A cursor older than what is kept
 * is answered with one `reset` event whose data names the oldest cursor kept: read the state anew.
 */
export const EventQuery = z.strictObject({
  organization: z.string().optional(),
  after: z.coerce.number().int().min(0).optional(),
  task: z.string().max(64).optional(),
  run: z.uuid().optional(),
});
