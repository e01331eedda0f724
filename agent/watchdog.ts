import type { Clock } from '../shared/clock.ts';
import type { Logger } from '../shared/node/logger.ts';
import type { ServiceManager } from '../shared/node/service-manager.ts';

/**
 * Tells the service manager that the agent is ready, and from then on that it lives, only while it really does. It is told at a third of
 * the time it allows, so that one message may be lost (sd_watchdog_enabled(3) advises half). Settles when `signal` is aborted.
 */
export async function feedWatchdog(
  parts: { manager: ServiceManager; clock: Clock; log: Logger; isAlive: () => boolean },
  signal: AbortSignal,
): Promise<void> {
  const { manager, clock, log, isAlive } = parts;
  await manager.ready('serving the controller');
  const { watchdogMs } = manager;
  while (watchdogMs !== undefined && !signal.aborted) {
    if (lives(isAlive, log)) await manager.alive();
    await clock.sleep(watchdogMs / 3, signal).catch(() => undefined); // over
  }
  if (signal.aborted) await manager.stopping();
}

function lives(isAlive: () => boolean, log: Logger): boolean {
  try {
    if (isAlive()) return true;
    log.error({ event: 'agent.hangs' }, 'the link does not move: the watchdog is not fed');
  } catch (error) {
    log.error({ event: 'agent.hangs', err: error }, 'the database takes no write: the watchdog is not fed');
  }
  return false;
}
