import { z } from 'zod';
import { PageQuery, Timestamp, listOf } from './common.ts';
import { AgentTask } from './assistant.ts';
import { Rollout, RunTypeName, TaskStatus } from './tasks.ts';

/** Derived: IN_PROGRESS while any task is open, COMPLETED when all are, else FAILED. STOPPED: the rollout limits ended it. */
export const RunStatus = z.enum(['IN_PROGRESS', 'COMPLETED', 'FAILED', 'STOPPED', 'CANCELLED']);
export type RunStatus = z.output<typeof RunStatus>;

/** Who made it: a person now or for later, a schedule, a person who tries again, or a program. */
export const RunTrigger = z.enum(['manual', 'at', 'schedule', 'retry', 'api']);

/** The tasks that one request made. */
export const Run = z.object({
  id: z.string(),
  organization: z.string(),
  type: RunTypeName,
  status: RunStatus,
  trigger: RunTrigger,
  schedule: z.string().nullable().describe('name of the schedule it was made for'),
  scheduled_task: z.string().nullable(),
  retry_of: z.string().nullable().describe('run whose devices it tries once more'),
  max_retries: z.int().describe('how often a failed task is tried again by itself'),
  retry_delay_seconds: z.int(),
  payload: z.string(),
  rollout: Rollout.nullable(),
  total: z.int(),
  counts: z.record(TaskStatus, z.int()),
  skipped: z
    .array(z.object({ device_name: z.string(), reason: z.string() }))
    .describe('devices that did not do it, and why: not selected, cancelled by the rollout, expired'),
  stopped_reason: z.string().nullable(),
  agent_task: AgentTask.nullable().optional().describe('only of one run: how its prompt is worked on'),
  created_by: z.string(),
  created_at: Timestamp,
  scheduled_at: Timestamp.nullable(),
  completed_at: Timestamp.nullable(),
});
export type Run = z.output<typeof Run>;
export const RunList = listOf(Run);
export type RunList = z.output<typeof RunList>;

/** GET /api/v1/runs */
export const RunQuery = z.strictObject({
  organization: z.string().optional(),
  type: RunTypeName.optional(),
  status: RunStatus.optional(),
  trigger: RunTrigger.optional(),
  schedule: z.string().max(100).optional().describe('name of a schedule'),
  created_after: z.string().max(64).optional(),
  created_before: z.string().max(64).optional(),
  ...PageQuery,
});
export type RunQuery = z.output<typeof RunQuery>;

/** POST /api/v1/runs/{id}/retry: a new run over the devices that did not do it. */
export const RetryRun = z.strictObject({
  only: z
    .array(z.enum(['FAILED', 'EXPIRED', 'CANCELLED', 'SKIPPED']))
    .min(1)
    .default(['FAILED', 'EXPIRED', 'CANCELLED', 'SKIPPED'])
    .describe('devices whose task ended so; SKIPPED: they had none'),
});
export type RetryRun = z.output<typeof RetryRun>;

/** POST /api/v1/runs/{id}/cancel: cancels what waits; with `request` asks running tasks to stop too. */
export const CancelRun = z.strictObject({ request: z.boolean().default(false) });
export const CancelRunAnswer = z.object({
  run: z.string(),
  cancelled: z.int(),
  requested: z.int(),
  still_running: z.int(),
});
export type CancelRunAnswer = z.output<typeof CancelRunAnswer>;
