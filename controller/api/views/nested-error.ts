import type { NestedErrorBody } from '../../../shared/api/task-schedules-view.ts';
import type { AppError, ErrorCode } from '../../../shared/errors.ts';

/** Whether what is asked for belongs to the view whose errors are nested, by its path. */
export const hasNestedErrors = (url: string): boolean => /^\/api\/tasks(\/|$|\?)/.test(url);

/** The body of every error of that view. */
export const nestedErrorBody = (error: AppError): NestedErrorBody => ({
  error: {
    code: words[error.code] ?? error.code.toUpperCase(),
    message: error.message,
    status: error.status,
    details: inWordsOfView(error.detail ?? null),
  },
});

/** Where its word is not ours in capitals. */
const words: Partial<Record<ErrorCode, string>> = {
  not_authenticated: 'UNAUTHORIZED',
  invalid_parameters: 'VALIDATION_ERROR',
  unresolved_targets: 'DEVICE_NOT_FOUND',
  name_taken: 'CONFLICT',
  too_many_requests: 'RATE_LIMITED',
  internal: 'INTERNAL_ERROR',
  unavailable: 'SERVICE_UNAVAILABLE',
};

/** An expression that is refused is in the field that the view has for it. */
const inWordsOfView = (detail: unknown): unknown =>
  detail !== null && typeof detail === 'object' && 'field' in detail && detail.field === 'cron'
    ? { ...detail, field: 'cron_expression' }
    : detail;
