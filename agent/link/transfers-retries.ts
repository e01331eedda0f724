import type { Clock, Random } from '../../shared/clock.ts';
import { type ErrorCode, errorTable, TaskError } from '../../shared/errors.ts';
import { Backoff } from './backoff.ts';
import { DialRefused } from './dial-refused.ts';

/** An answer that another try will not change: another server, another content. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
}

/** So much must have moved since the last failure for it to count as a new beginning. */
const progressBytes = 64 * 1024;

/** How often one transfer is tried again. */
export class Retries {
  readonly #parts: { clock: Clock; maxFailures: number };
  readonly #backoff: Backoff;
  #failures = 0;

  constructor(parts: { clock: Clock; random: Random; maxFailures: number }) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.random);
  }

  /** Waits until the next try is due. Throws the error when it is the last one, and the signal's reason when that is aborted. */
  async after(error: unknown, movedBytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!mayPass(error)) throw error;
    if (movedBytes >= progressBytes) {
      this.#failures = 0;
      this.#backoff.healthy();
    }
    this.#failures += 1;
    if (this.#failures >= this.#parts.maxFailures) throw error;
    await this.#parts.clock.sleep(this.#backoff.next(error), signal);
  }
}

/** Whether the same request may succeed later. */
function mayPass(error: unknown): boolean {
  if (error instanceof WrongAnswer || error instanceof TaskError) return false;
  if (error instanceof DialRefused) {
    const known = Object.hasOwn(errorTable, error.code) ? errorTable[error.code as ErrorCode] : undefined;
    return known?.retryable ?? /^http_(408|425|429|5\d\d)$/.test(error.code);
  }
  // Who answers with a wrong certificate is somebody else.
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return !/CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|ERR_TLS|ENOENT|EACCES/.test(code);
}

/** The error of a task, in words that name what was transferred. */
export function transferFailed(
  code: 'rejected_fetch' | 'transfer_failed',
  what: string,
  error: unknown,
): TaskError {
  if (error instanceof TaskError) return error;
  return new TaskError(code, `${what}: ${reasonOf(error)}`, { cause: error });
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error instanceof DialRefused ? `${error.message} (${error.code})` : error.message;
}
