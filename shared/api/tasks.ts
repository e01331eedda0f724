import { z } from 'zod';
import { DeviceName, Labels } from '../ids.ts';
import { taskStateNames } from '../task-state.ts';
import { orOfPlugin } from '../plugin.ts';
import { runTypeNames } from '../run-type.ts';
import { taskTypeNames } from '../task-types/task-type.ts';
import { PageQuery, QueryFlag, Timestamp, listOf } from './common.ts';
import { WaitingQuestion } from './questions.ts';

export const TaskStatus = z.enum(taskStateNames);
/** Built in, or of a plugin. */
export const TaskTypeName = orOfPlugin(taskTypeNames);
export const RunTypeName = orOfPlugin(runTypeNames);

/** One task. `payload` is JSON as a string, as existing clients of this resource expect. */
export const Task = z.object({
  task: z.string().describe('code: the public id, 8 base62 characters'),
  id: z.string(),
  type: TaskTypeName,
  status: TaskStatus,
  device_uuid: z.string(),
  device_name: z.string(),
  organization: z.string(),
  run: z.string().nullable().describe('id of the run that made it'),
  payload: z.string().describe('parameters, as JSON text'),
  message: z.string().nullable().describe('progress or result, for people'),
  progress: z.number().nullable().describe('percent'),
  error_code: z.string().nullable(),
  error_message: z.string().nullable(),
  result: z.record(z.string(), z.unknown()).nullable(),
  attempt: z.int().describe('how often the device began it; above 1 only for types that may be re-run'),
  force: z.boolean(),
  created_by: z.string(),
  created_at: Timestamp,
  updated_at: Timestamp,
  scheduled_at: Timestamp.nullable(),
  expires_at: Timestamp.nullable().describe('end of waiting; null while SCHEDULED'),
  started_at: Timestamp.nullable(),
  timeout_at: Timestamp.nullable().describe('end of execution; null before IN_PROGRESS'),
  completed_at: Timestamp.nullable(),
  cancel_requested_at: Timestamp.nullable(),
  waiting_for_input: z
    .boolean()
    .default(false)
    .describe('it asks a person, and goes on when somebody answers or the time is over'),
  question: WaitingQuestion.nullable()
    .default(null)
    .describe('what it asks; the oldest when there are several'),
  retry_of: z.string().nullable(),
  late_result: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe('what the device reported after the task had ended: evidence, never a change of state'),
});
export type Task = z.output<typeof Task>;
export const TaskList = listOf(Task);
export type TaskList = z.output<typeof TaskList>;

export const taskSortFields = [
  'created_at',
  'updated_at',
  'scheduled_at',
  'expires_at',
  'status',
  'type',
  'device_name',
] as const;

/** GET /api/v1/tasks. Times are RFC 3339, without a zone UTC, or relative and looking back: 30m, 2h, 7d, 2w. */
export const TaskQuery = z.strictObject({
  organization: z.string().optional(),
  device_name: z.string().max(256).optional().describe('a name, or a regular expression that occurs in it'),
  status: TaskStatus.optional(),
  type: TaskTypeName.optional(),
  expired: QueryFlag.optional().describe('true: only EXPIRED, false: all but EXPIRED'),
  created_after: z.string().max(64).optional(),
  created_before: z.string().max(64).optional(),
  run: z.uuid().optional(),
  sort_by: z.string().max(64).default('created_at:desc').describe('field:asc or field:desc'),
  ...PageQuery,
});
export type TaskQuery = z.output<typeof TaskQuery>;

/** One line of a task’s log: output of the device (`line` counts per task), or a gap where lines were dropped. */
export const TaskLogLine = z.object({
  cursor: z.int().describe('pass as `after` to read on'),
  line: z.int().nullable(),
  stream: z.enum(['stdout', 'stderr', 'agent', 'gap']),
  at: Timestamp,
  text: z.string(),
});
export type TaskLogLine = z.output<typeof TaskLogLine>;

/** GET /api/v1/tasks/{code}/logs */
export const TaskLogQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0).describe('cursor of the last line already read'),
  limit: z.coerce.number().int().min(1).max(1000).default(500),
});
export const TaskLogPage = z.object({
  items: z.array(TaskLogLine),
  next: z.int().describe('cursor to read on from'),
  complete: z.boolean().describe('the task has ended and this page reaches its last line'),
});
export type TaskLogPage = z.output<typeof TaskLogPage>;

/** Body of PUT or POST /api/v1/tasks/{code}/cancel (may be absent). `request` asks the device to stop a task that is IN_PROGRESS. */
export const CancelTask = z.strictObject({ request: z.boolean().default(false) });

/** Which devices: at least one of the three; the union, each device once. */
export const Targets = z.strictObject({
  devices: z
    .array(z.string().min(1).max(256))
    .max(10_000)
    .optional()
    .describe('names, ids, or regular expressions on the whole name'),
  labels: Labels.optional().describe('devices that carry all of these labels'),
  all: z.boolean().optional().describe('every ENABLED device'),
  ous: z.array(z.string()).max(100).optional().describe('values of the label `ou`'),
});
export type Targets = z.output<typeof Targets>;

/** How many devices at a time: none at all would never end. */
const portion = z
  .string()
  .regex(
    /^([1-9]\d{0,5}|(100|[1-9]\d?)%)$/,
    'expected a number such as 10, or a percentage such as 10%, above 0',
  );
const amount = z
  .string()
  .regex(/^(\d{1,6}|(100|\d{1,2})%)$/, 'expected a number such as 10, or a percentage such as 10%');

/** How a run goes over many devices. */
export const Rollout = z.strictObject({
  batch: portion.optional().describe('at most so many devices work at the same time'),
  max_failures: amount.optional().describe('stop the run when more tasks than this have failed'),
  canary: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe('the first so many devices must complete before any other starts'),
});
export type Rollout = z.output<typeof Rollout>;

/** POST /api/v1/organizations/{organization}/tasks. Honours `Idempotency-Key`. */
export const RunRequest = z.strictObject({
  type: TaskTypeName,
  targets: Targets,
  payload: z
    .union([z.record(z.string(), z.unknown()), z.string().max(1_000_000)], 'expected an object or JSON text')
    .optional()
    .describe(
      'parameters of the task type, as an object or as JSON text; the OpenAPI document has TYPE_parameters for what is built in, and GET /api/v1/task-types the schemas of plugins',
    ),
  scheduled_at: z.iso.datetime({ offset: true }).optional().describe('defer until then'),
  schedule: z
    .string()
    .max(100)
    .optional()
    .describe('add this to the schedule of that name instead of running it now'),
  expires_in_seconds: z.int().min(1).max(31_536_000).optional().describe('bound on waiting, from activation'),
  timeout_seconds: z.int().min(1).max(604_800).optional().describe('bound on execution'),
  rollout: Rollout.optional(),
  max_retries: z
    .int()
    .min(0)
    .max(20)
    .optional()
    .describe(
      'how often a failed task is tried again by itself; 0 when absent, and whatever is asked for a type that never is (the answer tells what holds)',
    ),
  retry_delay_seconds: z.int().min(0).max(86_400).optional().describe('60 when absent'),
  force: z.boolean().default(false).describe('hand out although the device is busy with other lanes'),
  dry_run: z.boolean().default(false).describe('only tell which devices it would be'),
});
export type RunRequest = z.output<typeof RunRequest>;

export const RunAnswer = z.object({
  run: z.string().nullable().describe('id of the run; null for a dry run'),
  type: RunTypeName,
  organization: z.string(),
  scheduled_at: Timestamp.nullable(),
  total: z.int(),
  tasks: z.array(
    z.object({
      task: z.string(),
      device_uuid: z.string(),
      device_name: z.string(),
      status: TaskStatus,
      expires_at: Timestamp.nullable(),
    }),
  ),
  skipped: z.array(z.object({ device_name: DeviceName, reason: z.string() })),
  max_retries: z
    .int()
    .default(0)
    .describe(
      'how often a failed task is tried again by itself; 0 for types that never are, whatever was asked',
    ),
});
export type RunAnswer = z.output<typeof RunAnswer>;
