import type { Clock } from '../../shared/clock.ts';
import { closeCodes, deadAfterMs, heartbeatMs } from '../../shared/protocol/version.ts';
import type { Connection } from '../link/connection.ts';

/** Asks a silent controller for a sign of life, and gives the link up when none came. Any traffic counts. */
export async function watchLiveness(
  connection: Connection,
  { clock, movesWithin }: { clock: Clock; movesWithin: (ms: number) => void },
  signal: AbortSignal,
): Promise<void> {
  let pingedAt = -Infinity;
  for (;;) {
    const silentMs = clock.monotonic() - connection.heardAt;
    if (silentMs >= deadAfterMs) {
      connection.terminate(closeCodes.silent, `nothing heard for ${Math.round(silentMs / 1000)} s`);
      return;
    }
    const sinceMs = clock.monotonic() - Math.max(connection.heardAt, pingedAt);
    if (sinceMs >= heartbeatMs) {
      connection.ping();
      pingedAt = clock.monotonic();
    }
    const nextPingMs = heartbeatMs - (clock.monotonic() - Math.max(connection.heardAt, pingedAt));
    const waitMs = Math.max(1, Math.min(nextPingMs, deadAfterMs - silentMs));
    movesWithin(waitMs);
    await clock.sleep(waitMs, signal);
  }
}
