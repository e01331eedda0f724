import type { ExitReason } from './exit-codes.ts';

/** An error we foresaw: `message` is a sentence, `hint` says what to do, `exit` what scripts are told. */
export class CliError extends Error {
  readonly exit: ExitReason;
  readonly code: string;
  readonly hint: string | undefined;
  readonly detail: unknown;
  readonly requestId: string | undefined;

  constructor(exit: ExitReason, message: string, more: CliErrorParts = {}) {
    super(message, { cause: more.cause });
    this.name = 'CliError';
    this.exit = exit;
    this.code = more.code ?? exit;
    this.hint = more.hint;
    this.detail = more.detail;
    this.requestId = more.requestId;
  }
}

interface CliErrorParts {
  code?: string;
  hint?: string | undefined;
  detail?: unknown;
  requestId?: string | undefined;
  cause?: unknown;
}

export const usageError = (message: string, hint?: string): CliError =>
  new CliError('usage', message, { hint });
