import type { Run } from '../../shared/api/runs.ts';
import type { RunAnswer } from '../../shared/api/tasks.ts';
import { painted } from '../output/view.ts';
import type { View } from '../output/view.ts';
import { agentTaskFields } from './agent-task.ts';

export const runView: View<Run> = {
  noun: 'runs',
  key: ({ id }) => id,
  columns: [
    { head: 'RUN', value: ({ id }) => id },
    { head: 'TYPE', value: ({ type }) => type },
    { head: 'STATUS', value: ({ status }, paint) => painted(paint.state(status)) },
    { head: 'TASKS', value: ({ total }) => total },
    { head: 'STATES', value: countsOf },
    { head: 'TRIGGER', value: ({ trigger }) => trigger },
    { head: 'CREATED', value: ({ created_at }, paint) => paint.time(created_at) },
    { head: 'BY', value: ({ created_by }) => created_by },
  ],
  fields: (run, paint) => [
    ['Run', run.id],
    ['Type', run.type],
    ['Status', painted(paint.state(run.status))],
    ['Stopped because', run.stopped_reason],
    ...agentTaskFields(run.agent_task, paint),
    ['Tasks', run.type === 'AGENT_TASK' ? '' : run.total],
    ['States', countsOf(run)],
    ['Organization', run.organization],
    ['Trigger', run.trigger],
    ['Schedule', run.schedule],
    ['Retry of', run.retry_of],
    [
      'Retries',
      run.max_retries > 0 ? `${run.max_retries}, ${run.retry_delay_seconds} s after a failure` : '',
    ],
    ['Parameters', run.payload === '{}' || run.agent_task ? '' : run.payload],
    ['Rollout', run.rollout === null ? '' : JSON.stringify(run.rollout)],
    ['Created by', run.created_by],
    ['Created', paint.time(run.created_at)],
    ['Scheduled', paint.time(run.scheduled_at)],
    ['Ended', paint.time(run.completed_at)],
    ...run.skipped.map(
      ({ device_name, reason }) => ['Skipped', `${device_name}: ${reason}`] as [string, string],
    ),
  ],
};

/** A task as the answer to its creation shows it. */
export type CreatedTask = RunAnswer['tasks'][number];

export const createdTaskView: View<CreatedTask> = {
  noun: 'tasks',
  key: ({ task }) => task,
  columns: [
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'TASK', value: ({ task }) => task },
    { head: 'STATUS', value: ({ status }, paint) => painted(paint.state(status)) },
    { head: 'EXPIRES', value: ({ expires_at }, paint) => paint.time(expires_at) },
  ],
  fields: (task, paint) => [
    ['Device', task.device_name],
    ['Task', task.task],
    ['Status', painted(paint.state(task.status))],
    ['Expires', paint.time(task.expires_at)],
  ],
};

function countsOf({ counts }: Run): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
}
