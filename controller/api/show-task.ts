import type { Task, TaskLogLine } from '../../shared/api/tasks.ts';
import { resultText } from '../../shared/task-types/result-text.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { LogRow } from '../store/logs.ts';
import type { QuestionRow } from '../store/questions.ts';
import type { TaskRow } from '../store/tasks.ts';
import type { ApiParts } from './parts.ts';
import { showWaiting } from './show-question.ts';
import { shownOrNull } from './show-time.ts';

const showTask = (row: TaskRow, question: QuestionRow | undefined): Task => ({
  task: row.code,
  id: row.id,
  type: row.type,
  status: row.status,
  device_uuid: row.deviceId,
  device_name: row.deviceName,
  organization: row.organizationName,
  run: row.runId,
  payload: row.parameters,
  message: row.message ?? (resultText(row) || null),
  progress: row.progress,
  error_code: row.errorCode,
  error_message: row.errorMessage,
  result: row.result,
  attempt: row.attempt,
  force: row.force,
  created_by: row.createdBy,
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt),
  scheduled_at: shownOrNull(row.scheduledAt),
  expires_at: shownOrNull(row.expiresAt),
  started_at: shownOrNull(row.startedAt),
  timeout_at: shownOrNull(row.timeoutAt),
  completed_at: shownOrNull(row.completedAt),
  cancel_requested_at: shownOrNull(row.cancelRequestedAt),
  waiting_for_input: question !== undefined,
  question: question === undefined ? null : showWaiting(question),
  retry_of: row.retryOf,
  late_result: row.lateResult,
});

/** Tasks with what they ask; one reading for all of them. */
export async function showTasks({ core }: Pick<ApiParts, 'core'>, rows: TaskRow[]): Promise<Task[]> {
  const running = rows.filter(({ status }) => status === 'IN_PROGRESS');
  const waiting = await core.questions.waiting(running.map(({ id }) => id));
  return rows.map((row) => showTask(row, waiting.get(row.id)));
}

export async function showOneTask(parts: Pick<ApiParts, 'core'>, row: TaskRow): Promise<Task> {
  const [task] = await showTasks(parts, [row]);
  return task ?? showTask(row, undefined);
}

export const showLogLine = (row: LogRow): TaskLogLine => ({
  cursor: row.cursor,
  line: row.line,
  stream: row.stream,
  at: rfc3339(row.at),
  text: row.text,
});
