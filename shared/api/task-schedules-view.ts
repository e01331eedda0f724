import { z } from 'zod';
import { AgentTaskRequest } from './assistant.ts';
import { Timestamp } from './common.ts';
import { ScheduleName } from './schedules.ts';
import { Targets } from './tasks.ts';

/** Body of every error under /api/tasks. The request id is in the X-Request-Id header only. */
export const NestedErrorBody = z.object({
  error: z.object({
    code: z.string().describe('stable word for programs'),
    message: z.string(),
    status: z.int(),
    details: z.unknown().describe('more, for programs; null when there is none'),
  }),
});
export type NestedErrorBody = z.output<typeof NestedErrorBody>;

/** What can be made here. What schedules made elsewhere run is told by its task type in small letters. */
export const ScheduleTaskType = z.enum(['backup', 'health_check', 'custom_script', 'agent_task']);
export type ScheduleTaskType = z.output<typeof ScheduleTaskType>;

const bounds = {
  max_retries: z.int().min(0).max(20).optional().describe('3 when absent'),
  retry_delay_seconds: z.int().min(0).max(86_400).optional().describe('60 when absent'),
  timeout_seconds: z
    .int()
    .min(1)
    .max(604_800)
    .optional()
    .describe('of each attempt; that of the task type when absent'),
};

/** May stand at the top level, or among the parameters. */
export const RetryParameters = z.object(bounds);
export type RetryParameters = z.output<typeof RetryParameters>;

const devices = {
  device_ids: z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(10_000)
    .optional()
    .describe('ids of devices; or `targets`'),
  targets: Targets.optional().describe('as in /api/v1, instead of `device_ids`'),
};
const parameters = z.record(z.string(), z.unknown());

/** Parameters of task_type `backup`. An archive always holds what runs and what the device starts with: they are the same files. */
export const ScheduledBackup = z.strictObject({
  ...devices,
  capture_running: z.boolean().default(true),
  capture_startup: z.boolean().default(true),
  full: z.boolean().default(false).describe('a whole new archive also when nothing changed'),
});
/** Parameters of task_type `health_check`; `checks` as HEALTH_CHECK has them. */
export const ScheduledHealthCheck = z.strictObject({ ...devices, checks: z.array(z.unknown()).optional() });
/** Parameters of task_type `custom_script`: those of SCRIPT beside the devices. */
export const ScheduledScript = z.looseObject(devices);

const cronExpression = z.string().max(1000).describe('minute hour day-of-month month day-of-week');
const timezone = z.string().max(100).describe('an IANA name such as America/New_York');
/** Of an answer that is sent back with something changed: not looked at. */
const told = z.unknown().optional().describe('as it was answered; changes nothing');
const toldBack = {
  id: told,
  last_run_at: told,
  next_run_at: told,
  created_by: told,
  created_at: told,
  updated_at: told,
  executions: told,
};
const decided = { description: z.string().max(1000).optional(), enabled: z.boolean().optional(), ...bounds };

/** POST /api/tasks/schedules */
export const CreateTaskSchedule = z.strictObject({
  name: ScheduleName,
  task_type: ScheduleTaskType,
  cron_expression: cronExpression,
  timezone: timezone.default('UTC'),
  parameters: parameters.default({}),
  ...decided,
});
export type CreateTaskSchedule = z.output<typeof CreateTaskSchedule>;

/** PUT /api/tasks/schedules/{task}: what is absent stays; `parameters` are replaced as a whole. */
export const ChangeTaskSchedule = z.strictObject({
  name: ScheduleName.optional(),
  task_type: ScheduleTaskType.optional(),
  cron_expression: cronExpression.optional(),
  timezone: timezone.optional(),
  parameters: parameters.optional(),
  ...decided,
  ...toldBack,
});
export type ChangeTaskSchedule = z.output<typeof ChangeTaskSchedule>;

const { prompt, allow_task_types, max_steps, max_tokens } = AgentTaskRequest.shape;
const asked = {
  allow_task_types: allow_task_types.unwrap().optional(),
  max_steps: max_steps.unwrap().optional(),
  max_tokens: max_tokens.unwrap().optional(),
};

/** POST /api/tasks/agent-schedules */
export const CreateAgentSchedule = z.strictObject({
  name: ScheduleName,
  prompt,
  cron_expression: cronExpression,
  timezone: timezone.default('UTC'),
  ...asked,
  ...decided,
});
export type CreateAgentSchedule = z.output<typeof CreateAgentSchedule>;

/** PUT /api/tasks/agent-schedules/{task}: what is absent stays. */
export const ChangeAgentSchedule = z.strictObject({
  name: ScheduleName.optional(),
  prompt: prompt.optional(),
  cron_expression: cronExpression.optional(),
  timezone: timezone.optional(),
  ...asked,
  ...decided,
  ...toldBack,
});
export type ChangeAgentSchedule = z.output<typeof ChangeAgentSchedule>;

/** POST …/{task}/toggle: the value that is wished, not a flip. */
export const ToggleTask = z.strictObject({ enabled: z.boolean() });

/** One run of a scheduled task. */
export const Execution = z.object({
  id: z.string(),
  task_id: z.string().nullable().describe('null when it was not made for a schedule'),
  task_name: z.string().nullable(),
  status: z.enum(['running', 'completed', 'failed', 'cancelled']),
  trigger: z.string().describe('manual, schedule or retry'),
  started_at: Timestamp,
  completed_at: Timestamp.nullable(),
  error_message: z.string().nullable(),
  output: z.string().nullable().describe('answer of an agent task'),
  device_count: z.int(),
  results: z
    .array(
      z.object({
        device_id: z.string(),
        device_name: z.string(),
        task: z.string().describe('code, under /api/v1/tasks and /api/task/run'),
        status: z.enum(['pending', 'running', 'completed', 'failed', 'cancelled']),
        started_at: Timestamp.nullable(),
        completed_at: Timestamp.nullable(),
        error_message: z.string().nullable(),
        result: z.record(z.string(), z.unknown()).nullable(),
      }),
    )
    .optional()
    .describe('only of one execution: the last attempt on each device, of the first 1000'),
});
export type Execution = z.output<typeof Execution>;

const shown = {
  id: z.string(),
  name: z.string(),
  description: z.string(),
};
const times = {
  cron_expression: z.string(),
  timezone: z.string(),
  enabled: z.boolean(),
  max_retries: z.int(),
  retry_delay_seconds: z.int(),
  timeout_seconds: z.int(),
  last_run_at: Timestamp.nullable(),
  next_run_at: Timestamp.nullable().describe('null while it is disabled'),
  created_by: z.string(),
  created_at: Timestamp,
  updated_at: Timestamp,
  executions: z.array(Execution).optional().describe('only of one: the newest ten'),
};
export const TaskSchedule = z.object({ ...shown, task_type: z.string(), parameters, ...times });
export type TaskSchedule = z.output<typeof TaskSchedule>;
export const AgentSchedule = z.object({
  ...shown,
  prompt: z.string(),
  allow_task_types: z.array(z.string()),
  max_steps: z.int(),
  max_tokens: z.int(),
  ...times,
});
export type AgentSchedule = z.output<typeof AgentSchedule>;

/** Query of every list under /api/tasks. */
export const WindowQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50).describe('at most so many'),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0).describe('leave out so many'),
});
export type WindowQuery = z.output<typeof WindowQuery>;
const listed = { total: z.int(), limit: z.int(), offset: z.int() };
export const TaskScheduleList = z.object({ tasks: z.array(TaskSchedule), ...listed });
export const AgentScheduleList = z.object({ tasks: z.array(AgentSchedule), ...listed });
export const ExecutionList = z.object({ executions: z.array(Execution), ...listed });
