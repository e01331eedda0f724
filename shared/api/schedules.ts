import { z } from 'zod';
import { TaskCode } from '../ids.ts';
import { PageQuery, Timestamp, listOf } from './common.ts';
import { RunAnswer } from './tasks.ts';

/** People name schedules in words; `preview` is a route. */
export const ScheduleName = z
  .string()
  .regex(
    /^[^\s\p{C}/](?:[^\p{C}/]{0,98}[^\s\p{C}/])?$/u,
    'expected a name of 1 to 100 characters without slashes, and without blanks at its ends',
  )
  .refine((name) => name !== 'preview', 'preview is taken: expected another name');

/** What is run: a plain run, or what the requests of the same name ask for. */
export const ScheduledKind = z.enum(['RUN', 'SYNC', 'PULL', 'BACKUP', 'AGENT_TASK', 'PLUGIN_INSTALL']);

/** One thing that a schedule runs. */
export const ScheduledTask = z.object({
  code: TaskCode,
  schedule_name: z.string(),
  kind: ScheduledKind,
  request: z.record(z.string(), z.unknown()).describe('body of the request that each firing makes'),
  enabled: z.boolean(),
  created_by: z.string(),
  last_fired_at: Timestamp.nullable(),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type ScheduledTask = z.output<typeof ScheduledTask>;
export const ScheduledTaskList = listOf(ScheduledTask);

export const Schedule = z.object({
  id: z.string(),
  organization_name: z.string(),
  name: z.string(),
  description: z.string(),
  enabled: z.boolean(),
  schedule: z.string().describe('the cron expression'),
  timezone: z.string().describe('an IANA name, or `device`: of each device its own'),
  overlap: z.enum(['skip', 'allow']),
  max_retries: z.int(),
  retry_delay_seconds: z.int(),
  last_fired_at: Timestamp.nullable().describe('when its time came last and something was run'),
  last_run_at: Timestamp.nullable().describe('when it was run last, by its time or by a person'),
  next_run_at: Timestamp.nullable().describe('null while it is disabled'),
  created_by: z.string(),
  created_at: Timestamp,
  updated_at: Timestamp,
  scheduled_tasks: z.array(ScheduledTask).optional().describe('only of one schedule'),
});
export type Schedule = z.output<typeof Schedule>;
export const ScheduleList = listOf(Schedule);

const cron = z.string().max(1000).describe('minute hour day-of-month month day-of-week');
const timezone = z.string().max(100).describe('an IANA name, or `device`: of each device its own');
const decided = {
  description: z.string().max(1000).optional(),
  enabled: z.boolean().optional(),
  timezone: timezone.optional(),
  overlap: z
    .enum(['skip', 'allow'])
    .optional()
    .describe('skip: do not fire while a run of the same scheduled task is open'),
  max_retries: z.int().min(0).max(20).optional().describe('how often a failed task is tried again'),
  retry_delay_seconds: z.int().min(0).max(86_400).optional(),
};

/** What a scheduled task runs. `request` is the body of POST …/tasks, …/sync, …/pull, …/backups or …/agent-tasks, without `scheduled_at`. */
const what = { kind: ScheduledKind.default('RUN'), request: z.record(z.string(), z.unknown()) };

/** POST /api/v1/organizations/{organization}/schedules */
export const CreateSchedule = z.strictObject({
  name: ScheduleName,
  cron: cron.optional(),
  schedule: cron.optional().describe('the same as `cron`, which is one of both'),
  ...decided,
  scheduled_tasks: z
    .array(z.strictObject(what))
    .max(20)
    .optional()
    .describe('made together with the schedule'),
});
export type CreateSchedule = z.output<typeof CreateSchedule>;

/** PATCH …/schedules/{schedule}: what is absent stays. */
export const ChangeSchedule = z.strictObject({
  name: ScheduleName.optional(),
  cron: cron.optional(),
  schedule: cron.optional(),
  ...decided,
});
export type ChangeSchedule = z.output<typeof ChangeSchedule>;

export const ScheduleQuery = z.strictObject({ ...PageQuery });

/** GET …/schedules/preview, …/schedules/{schedule}/preview */
const count = z.coerce.number().int().min(1).max(100).default(10);
export const PreviewQuery = z.strictObject({
  cron: z.string().max(1000),
  timezone: timezone.default('UTC'),
  count,
});
export const SchedulePreviewQuery = z.strictObject({ count });
export const Preview = z.object({
  cron: z.string(),
  timezone: z.string(),
  firings: z.array(
    z.object({
      at: Timestamp,
      zone: z.string(),
      local: z.string().describe('the same moment by the clocks of the zone'),
    }),
  ),
});
export type Preview = z.output<typeof Preview>;

/** What became of a time that came, or of a person's wish. */
export const Firing = z.object({
  scheduled_task: z.string(),
  at: Timestamp.describe('when it was due'),
  zone: z.string().nullable().describe('null when a person ran it'),
  trigger: z.enum(['schedule', 'manual']),
  outcome: z.enum(['fired', 'skipped']),
  reason: z.string().nullable().describe('why it was skipped'),
  run: z.string().nullable(),
  handled_at: Timestamp,
});
export type Firing = z.output<typeof Firing>;
export const FiringList = listOf(Firing);

/** POST …/schedules/{schedule}/run: one run per enabled scheduled task, whether the schedule is enabled or not. */
export const RunScheduleAnswer = z.object({
  schedule: z.string(),
  runs: z.array(
    z.object({
      scheduled_task: z.string(),
      run: z.string().nullable(),
      total: z.int(),
      error: z.string().nullable(),
    }),
  ),
});
export type RunScheduleAnswer = z.output<typeof RunScheduleAnswer>;

/** POST …/scheduled-tasks */
export const CreateScheduledTask = z.strictObject({
  schedule: z.string().max(100).describe('name'),
  ...what,
  enabled: z.boolean().default(true),
});
export type CreateScheduledTask = z.output<typeof CreateScheduledTask>;
/** PATCH …/scheduled-tasks/{code} */
export const ChangeScheduledTask = z.strictObject({
  kind: ScheduledKind.optional(),
  request: z.record(z.string(), z.unknown()).optional(),
  enabled: z.boolean().optional(),
});
export type ChangeScheduledTask = z.output<typeof ChangeScheduledTask>;
/** GET …/scheduled-tasks; a schedule that does not exist has none. */
export const ScheduledTaskQuery = z.strictObject({
  schedule: z.string().max(100).optional().describe('name'),
  ...PageQuery,
});

/** POST …/tasks answers a run, or (201) with `schedule` the scheduled task that was added to it. */
export const RunOrScheduledTask = z.union([RunAnswer, ScheduledTask]);
