import type { Clock } from '../shared/clock.ts';
import type { Logger } from '../shared/node/logger.ts';
import type { AgentCore } from './core.ts';
import { findHandler, type Runnable } from './runner/find-handler.ts';

const lookAgainMs = 1_000;

interface Renewal {
  core: Pick<AgentCore, 'status'>;
  runnable: Runnable;
  clock: Clock;
  log: Logger;
  /** Settles when what was away is back. */
  untilComplete(signal: AbortSignal): Promise<void>;
  /** Ends this life; another one follows. */
  renew(): void;
}

/** Ends a life that could not run everything once it could, and when nothing runs: the next one takes up what was left. */
export async function renewWhenComplete(renewal: Renewal, signal: AbortSignal): Promise<void> {
  const { core, runnable, clock, log, untilComplete, renew } = renewal;
  const isBusy = (): boolean =>
    core.status().tasks.some(({ type, state }) => state === 'running' && findHandler(runnable, type));
  try {
    await untilComplete(signal);
    while (isBusy()) await clock.sleep(lookAgainMs, signal);
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  log.info({ event: 'agent.renewed' }, 'the root helper is back: the agent starts anew, to use it');
  renew();
}
