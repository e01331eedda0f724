import { TaskError } from '../../shared/errors.ts';
import { syncErrors } from '../../shared/task-types/sync.ts';
import type { StepName } from './evidence.ts';

export type SyncErrorCode = (typeof syncErrors)[number];

/** Why nothing of the device was touched. */
export const rejected = (code: SyncErrorCode, message: string, cause?: unknown): TaskError =>
  new TaskError(code, message, { cause });

export const isSyncError = (code: string): code is SyncErrorCode =>
  (syncErrors as readonly string[]).includes(code);

/** What a step that failed means when it does not say so itself. */
const codeOfStep: Partial<Record<StepName, SyncErrorCode>> = {
  baseline: 'no_baseline',
  fetch: 'rejected_fetch',
  verify: 'rejected_verify',
  drift: 'rejected_drift',
  render: 'rejected_render',
  validate: 'rejected_validate',
  preflight: 'rejected_preflight',
  snapshot: 'rejected_snapshot',
  arm: 'rejected_snapshot',
};

/** Codes that say more than the step they came up in. */
const ownCodes = ['disk_full', 'cancelled', 'timed_out', 'agent_stopping'];

/** The error of a step in the codes of a SYNC. What is no `TaskError` is a bug and stays what it is. */
export function asRejection(error: unknown, step: StepName): unknown {
  if (!(error instanceof TaskError) || isSyncError(error.code) || ownCodes.includes(error.code)) return error;
  const code = codeOfStep[step];
  return code === undefined ? error : rejected(code, error.message, error);
}
