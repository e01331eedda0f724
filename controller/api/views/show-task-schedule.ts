import { AgentTaskRequest } from '../../../shared/api/assistant.ts';
import type { AgentSchedule, Execution, TaskSchedule } from '../../../shared/api/task-schedules-view.ts';
import { rfc3339 } from '../../../shared/time.ts';
import { shownOrNull } from '../show-time.ts';
import { wordsOf } from './scheduled-work.ts';
import { retriesOf, type ViewedSchedule } from './task-schedules.ts';

/** A scheduled task in the words of the view; `executions` only of one. */
export function showTaskSchedule(viewed: ViewedSchedule, executions?: Execution[]): TaskSchedule {
  const { taskType, parameters } = wordsOf(viewed.task);
  return {
    ...headOf(viewed),
    task_type: taskType,
    parameters,
    ...timesOf(viewed),
    ...(executions && { executions }),
  };
}

/** The same of an agent task, with its prompt at the top. */
export function showAgentSchedule(viewed: ViewedSchedule, executions?: Execution[]): AgentSchedule {
  const { prompt, allow_task_types, max_steps, max_tokens } = AgentTaskRequest.parse(
    JSON.parse(viewed.task.request),
  );
  return {
    ...headOf(viewed),
    prompt,
    allow_task_types,
    max_steps,
    max_tokens,
    ...timesOf(viewed),
    ...(executions && { executions }),
  };
}

const headOf = ({ schedule: { id, name, description } }: ViewedSchedule) => ({ id, name, description });

function timesOf({ schedule, task, pluginTimeouts }: ViewedSchedule) {
  const words = wordsOf(task, pluginTimeouts);
  return {
    cron_expression: schedule.cron,
    timezone: schedule.timezone,
    enabled: schedule.enabled,
    ...retriesOf(schedule, words),
    timeout_seconds: words.timeoutSeconds,
    last_run_at: shownOrNull(schedule.lastRunAt),
    next_run_at: shownOrNull(schedule.nextRunAt),
    created_by: schedule.createdBy,
    created_at: rfc3339(schedule.createdAt),
    updated_at: rfc3339(schedule.updatedAt),
  };
}
