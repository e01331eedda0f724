/** Every error we foresee: its HTTP status, and whether the same request may succeed later without change. */
export const errorTable = {
  bad_request: { status: 400, retryable: false },
  not_authenticated: { status: 401, retryable: false },
  clock_skew: { status: 401, retryable: true },
  token_replayed: { status: 401, retryable: true },
  token_expired: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_approved: { status: 403, retryable: true },
  disabled: { status: 403, retryable: true },
  quarantined: { status: 403, retryable: true },
  key_ended: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  conflict: { status: 409, retryable: false },
  assistant_not_configured: { status: 409, retryable: false },
  not_cancellable: { status: 409, retryable: false },
  name_taken: { status: 409, retryable: false },
  payload_too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  unresolved_targets: { status: 422, retryable: false },
  task_type_not_supported: { status: 422, retryable: false },
  exclusive_options: { status: 422, retryable: false },
  not_renderable: { status: 422, retryable: false },
  digest_mismatch: { status: 422, retryable: false },
  too_few_recipients: { status: 422, retryable: false },
  idempotency_mismatch: { status: 422, retryable: false },
  invalid_parameters: { status: 422, retryable: false },
  upgrade_required: { status: 426, retryable: false },
  too_many_requests: { status: 429, retryable: true },
  internal: { status: 500, retryable: true },
  unavailable: { status: 503, retryable: true },
  disk_full: { status: 507, retryable: true },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof errorTable;

/** One foreseen error. `message` names the thing, what was expected and what came; `detail` is for programs. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly detail: unknown;

  constructor(code: ErrorCode, message: string, options: { detail?: unknown; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.detail = options.detail;
  }

  get status(): number {
    return errorTable[this.code].status;
  }

  get retryable(): boolean {
    return errorTable[this.code].retryable;
  }
}

/** Why a task did not succeed, as it is shown to people: `code` for programs, `message` for readers. */
export class TaskError extends Error {
  readonly code: string;
  /** What the task found out although it failed, such as an exit code; in the shape of its type's result. */
  readonly result: Record<string, unknown> | undefined;

  constructor(
    code: string,
    message: string,
    options: { cause?: unknown; result?: Record<string, unknown> } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : {});
    this.name = 'TaskError';
    this.code = code;
    this.result = options.result;
  }
}
