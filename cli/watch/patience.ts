import pRetry from 'p-retry';
import type { Clock } from '../../shared/clock.ts';
import { CliError } from '../cli-error.ts';

/** A controller that is restarted comes back; one that stays away this long is told as unreachable. */
const patienceMs = 300_000;
const minDelayMs = 500;
const maxDelayMs = 5_000;

export interface PatienceParts {
  clock: Clock;
  signal: AbortSignal;
  /** Told that it does not work at the moment, and that it works again (undefined). */
  trouble(message: string | undefined): void;
}

/** Tries until it works, it is certain that it will not, or patience ends. `afterTrouble` is true on every try but the first. */
export async function patiently<Result>(
  attempt: (afterTrouble: boolean) => Promise<Result>,
  { clock, signal, trouble }: PatienceParts,
): Promise<Result> {
  const began = clock.monotonic();
  let troubled = false;
  const result = await pRetry(() => attempt(troubled), {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: minDelayMs,
    maxTimeout: maxDelayMs,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => isPassing(error) && clock.monotonic() - began < patienceMs,
    onFailedAttempt({ error }) {
      if (!troubled && isPassing(error)) {
        troubled = true;
        trouble(error.message);
      }
    },
  });
  if (troubled) trouble(undefined);
  return result;
}

const isPassing = (error: unknown): boolean =>
  error instanceof CliError &&
  (error.exit === 'unreachable' || error.code === 'too_many_requests' || error.code === 'internal');
