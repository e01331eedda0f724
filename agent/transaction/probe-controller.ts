import type { Clock } from '../../shared/clock.ts';
import type { DeviceProfile } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import type { Evidence } from './evidence.ts';
import { rejected } from './sync-error.ts';
import type { TransactionProbe } from './transaction-parts.ts';

interface Probing {
  probe: TransactionProbe;
  settings: DeviceProfile['probe'];
  transaction: string;
  clock: Clock;
  signal: AbortSignal;
  evidence: Evidence;
}

const attemptMs = 10_000;
const baselineAttempts = 3;
/** The confirmation itself needs some time before the deadline. */
const confirmMs = 3_000;

/** Before anything is changed: a controller that cannot be reached now is not the configuration's fault. */
export async function probeBaseline({
  probe,
  settings,
  transaction,
  clock,
  signal,
  evidence,
}: Probing): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await probe.attempt(transaction, attemptMs, signal);
    evidence.probe(answer);
    if (answer.ok)
      return `the controller answers over a new connection in ${Math.round(answer.duration_ms)} ms`;
    if (attempt >= baselineAttempts) {
      throw rejected(
        'no_baseline',
        `The controller does not answer over new connections before any change (${answer.phase}: ${answer.error ?? 'no answer'}); nothing was touched`,
      );
    }
    await clock.sleep(settings.every_s * 1000, signal);
  }
}

/**
 * Settles when the controller was reached over new connections `need` times in a row, spread over `over_s`. Throws as soon as that can no
 * longer be before the deadline.
 */
export async function awaitSteadyConnection(
  { probe, settings, transaction, clock, signal, evidence }: Probing,
  /** Milliseconds until the guard acts. */
  leftMs: () => number,
): Promise<string> {
  const spanMs = Math.min(settings.over_s * 1000, Math.max(0, leftMs() - confirmMs) / 2);
  const everyMs = settings.every_s * 1000;
  let [attempts, inRow, sinceMs, last] = [0, 0, 0, 'none was possible'];
  for (;;) {
    signal.throwIfAborted();
    const missingMs = inRow === 0 ? spanMs : Math.max(0, sinceMs + spanMs - clock.monotonic());
    const roomMs = leftMs() - confirmMs - missingMs;
    if (roomMs <= 0) {
      throw new TaskError(
        'not_reached',
        `The controller was not reached steadily over new connections within the window (${attempts} attempts, the last: ${last})`,
      );
    }
    const startedMs = clock.monotonic();
    const answer = await probe.attempt(transaction, Math.min(attemptMs, roomMs), signal);
    attempts += 1;
    evidence.probe(answer);
    last = answer.ok ? 'answered' : `${answer.phase}: ${answer.error ?? 'no answer'}`;
    if (!answer.ok) inRow = 0;
    else if ((inRow += 1) === 1) sinceMs = startedMs;
    if (inRow >= settings.need && clock.monotonic() - sinceMs >= spanMs) {
      return `${inRow} new connections in a row were answered over ${Math.round((clock.monotonic() - sinceMs) / 1000)} s`;
    }
    await clock.sleep(Math.max(0, startedMs + everyMs - clock.monotonic()), signal);
  }
}
