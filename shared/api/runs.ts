import { z } from 'zod';
import { PageQuery, Timestamp, listOf } from './common.ts';
import { Rollout, TaskStatus, TaskTypeName } from './tasks.ts';

/** Derived: IN_PROGRESS while any task is open, COMPLETED when all are, else FAILED. STOPPED: the rollout limits ended it. */
export const RunStatus = z.enum(['IN_PROGRESS', 'COMPLETED', 'FAILED', 'STOPPED', 'CANCELLED']);
export type RunStatus = z.output<typeof RunStatus>;

/** The tasks that one request made. */
export const Run = z.object({
  id: z.string(),
  organization: z.string(),
  type: TaskTypeName,
  status: RunStatus,
  trigger: z.enum(['manual', 'at', 'schedule', 'retry', 'api']),
  payload: z.string(),
  rollout: Rollout.nullable(),
  total: z.int(),
  counts: z.record(TaskStatus, z.int()),
  skipped: z
    .array(z.object({ device_name: z.string(), reason: z.string() }))
    .describe('devices that did not do it, and why: not selected, cancelled by the rollout, expired'),
  stopped_reason: z.string().nullable(),
  created_by: z.string(),
  created_at: Timestamp,
  scheduled_at: Timestamp.nullable(),
  completed_at: Timestamp.nullable(),
});
export type Run = z.output<typeof Run>;
export const RunList = listOf(Run);
export type RunList = z.output<typeof RunList>;

/** GET /api/v1/runs */
export const RunQuery = z.strictObject({ organization: z.string().optional(), ...PageQuery });

/** POST /api/v1/runs/{id}/cancel: cancels what waits; with `request` asks running tasks to stop too. */
export const CancelRun = z.strictObject({ request: z.boolean().default(false) });
export const CancelRunAnswer = z.object({
  run: z.string(),
  cancelled: z.int(),
  requested: z.int(),
  still_running: z.int(),
});
export type CancelRunAnswer = z.output<typeof CancelRunAnswer>;
