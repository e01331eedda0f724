import type { Task, TaskLogLine } from '../../shared/api/tasks.ts';
import { resultText } from '../../shared/task-types/result-text.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { LogRow } from '../store/logs.ts';
import type { TaskRow } from '../store/tasks.ts';
import { shownOrNull } from './show-time.ts';

/** A task as the API shows it. */
export const showTask = (row: TaskRow): Task => ({
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
  retry_of: row.retryOf,
  late_result: row.lateResult,
});

export const showLogLine = (row: LogRow): TaskLogLine => ({
  cursor: row.cursor,
  line: row.line,
  stream: row.stream,
  at: rfc3339(row.at),
  text: row.text,
});
