import type { Clock } from '../../shared/clock.ts';
import { TaskError } from '../../shared/errors.ts';

/**
 * Settles with `work`, or rejects after `ms` with `TaskError('timed_out')`, or with the parent's reason when that is aborted. The signal
 * that `work` gets ends it in both cases; work that does not listen (a hanging file system) is left behind.
 */
export async function withDeadline<Value>(
  parts: { clock: Clock; signal: AbortSignal; ms: number },
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const { clock, ms } = parts;
  parts.signal.throwIfAborted();
  const over = new AbortController();
  const stopTimer = new AbortController();
  const signal = AbortSignal.any([parts.signal, over.signal]);

  clock.sleep(ms, stopTimer.signal).then(
    () => over.abort(new TaskError('timed_out', `there was no answer within ${ms / 1000} s`)),
    () => undefined, // the work ended first
  );
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([work(signal), aborted]);
  } finally {
    stopTimer.abort();
  }
}
