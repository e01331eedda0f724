import type { Task } from '../../shared/api/tasks.ts';
import { resultText, verdictsOf } from '../../shared/task-types/result-text.ts';
import { formatDuration } from '../../shared/time.ts';
import type { Paint } from '../output/paint.ts';
import { painted } from '../output/view.ts';
import type { View } from '../output/view.ts';
import { answerHint, optionsText } from './question.ts';
import { syncFields } from './sync-end.ts';

export const taskView: View<Task> = {
  noun: 'tasks',
  key: ({ task }) => task,
  columns: [
    { head: 'TASK', value: ({ task }) => task },
    { head: 'TYPE', value: ({ type }) => type },
    { head: 'STATUS', value: ({ status }, paint) => painted(paint.state(status)) },
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'SCHEDULED', value: ({ scheduled_at }, paint) => paint.time(scheduled_at) },
    { head: 'CREATED', value: ({ created_at }, paint) => paint.time(created_at) },
    { head: 'MESSAGE', value: (task) => shortened(messageOf(task)) },
  ],
  fields: (task, paint) => [
    ['Task', task.task],
    ['Type', task.type],
    ['Status', painted(paint.state(task.status))],
    ['Progress', task.progress === null || task.completed_at !== null ? '' : `${task.progress} %`],
    ...questionFields(task, paint),
    ['Device', task.device_name],
    ['Organization', task.organization],
    ['Run', task.run],
    ['Parameters', task.payload === '{}' ? '' : task.payload],
    ['Message', task.message],
    ['Error', task.error_message],
    ['Error code', task.error_code],
    ...resultFields(task),
    ['Late result', task.late_result === null ? '' : JSON.stringify(task.late_result)],
    ['Attempt', task.attempt > 1 ? task.attempt : ''],
    ['Forced', task.force ? 'yes' : ''],
    ['Retry of', task.retry_of],
    ['Created by', task.created_by],
    ['Created', paint.time(task.created_at)],
    ['Updated', paint.time(task.updated_at)],
    ['Scheduled', paint.time(task.scheduled_at)],
    ['Expires', paint.time(task.expires_at)],
    ['Started', paint.time(task.started_at)],
    ['Times out', paint.time(task.completed_at === null ? task.timeout_at : null)],
    ['Cancel requested', paint.time(task.cancel_requested_at)],
    ['Ended', paint.time(task.completed_at)],
  ],
};

/** Tasks at the end of a wait. */
export const taskOutcomeView: View<Task> = {
  ...taskView,
  columns: [
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'TASK', value: ({ task }) => task },
    { head: 'STATUS', value: ({ status }, paint) => painted(paint.state(status)) },
    { head: 'TOOK', value: took },
    { head: 'MESSAGE', value: (task) => shortened(messageOf(task)) },
  ],
};

function questionFields({ question }: Task, paint: Paint): [string, string][] {
  if (question === null) return [];
  return [
    ['Asks', question.prompt],
    ['Options', optionsText(question)],
    ['Until', paint.time(question.expires_at)],
    ['Answer with', answerHint(question)],
  ];
}

/** A health check’s verdicts and a transaction’s steps one by one; any other result as it came. */
function resultFields({ type, result }: Task): [string, string][] {
  if (result === null) return [];
  if (type === 'SYNC') return syncFields(result);
  const verdicts = type === 'HEALTH_CHECK' ? verdictsOf(result) : [];
  if (verdicts.length === 0) return [['Result', JSON.stringify(result)]];
  return verdicts.map(({ name, verdict, message }) => ['Check', `${verdict}  ${name}: ${message}`]);
}

/** What is worth saying about a task in one line. */
export function messageOf(task: Task): string {
  if (task.question !== null) return `asks: ${task.question.prompt}`;
  if (task.error_message !== null) return task.error_message;
  if (task.message !== null) return task.message;
  return task.error_code ?? resultText(task);
}

function took({ started_at, completed_at }: Task): string {
  if (started_at === null || completed_at === null) return '';
  return formatDuration(Date.parse(completed_at) - Date.parse(started_at));
}

/** One line of a table; `describe` and JSON show the whole. */
const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);
