import { isFinal } from '../../../shared/task-state.ts';
import { rfc3339 } from '../../../shared/time.ts';
import type { TaskRow } from '../../store/tasks.ts';

/** Why a task did not do it, in a sentence; null while it may, and when it did. */
export function failureReason(task: TaskRow): string | null {
  const { status, errorMessage, errorCode, expiresAt } = task;
  if (!isFinal(status) || status === 'COMPLETED') return null;
  if (status === 'EXPIRED' && expiresAt !== null) {
    return `The device did not pick it up before ${rfc3339(expiresAt)}`;
  }
  return errorMessage ?? errorCode;
}
