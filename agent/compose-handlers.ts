import type { ControllerKeys } from '../shared/node/controller-keys.ts';
import type { Logger } from '../shared/node/logger.ts';
import { systemClock } from '../shared/node/system-clock.ts';
import { taskContracts } from '../shared/task-types/contracts.ts';
import type { AgentConfig } from './config.ts';
import { handlers } from './handlers/registry.ts';
import type { ControllerClock } from './link/controller-clock.ts';
import type { HttpControllerProbe } from './link/controller-probe.ts';
import { describeHelper } from './root-helper/helper-connection.ts';
import { handlerByUser, type RemoteHelper, remoteHandler } from './root-helper/remote-handler.ts';
import type { Handlers } from './runner/runner.ts';
import { ownUser } from './system/user.ts';

const lookForHelperMs = 5_000;

/** What the agent tells its root helper of the controller. */
interface HelperKnowledge {
  config: AgentConfig;
  controllerClock: ControllerClock;
  controllerKeys: ControllerKeys;
  /** The agent's own way to the controller. */
  probe: Pick<HttpControllerProbe, 'attempt'>;
}

/** Undefined when the agent does everything itself. */
export function rootHelperOf({
  config,
  controllerClock,
  controllerKeys,
  probe,
}: HelperKnowledge): RemoteHelper | undefined {
  const { socket: path } = config.root_helper;
  if (path === undefined) return undefined;
  return {
    path,
    controllerNow: () => controllerClock.now(),
    keyChanges: () => controllerKeys.changes,
    probe: (...asked) => probe.attempt(...asked),
  };
}

interface Offered {
  handlers: Handlers;
  facts: Record<string, unknown>;
  /** The root helper is away: settles when it answers, and rejects when `signal` is aborted. */
  untilComplete?: (signal: AbortSignal) => Promise<void>;
}

/**
 * What this agent can run: everything itself; or, beside a root helper, what needs no root itself and the rest there. An agent whose helper
 * does not answer serves what it can, so that somebody can still see what is wrong, and holds what it cannot.
 */
export async function composeHandlers(
  own: Offered,
  helper: RemoteHelper | undefined,
  log: Logger,
): Promise<Offered> {
  if (!helper) return { handlers: { ...handlers, ...own.handlers }, facts: own.facts };

  const { PING, HEALTH_CHECK, SCRIPT } = handlers;
  const unprivileged = { PING, HEALTH_CHECK, SCRIPT } as Handlers;
  try {
    const { taskTypes, facts } = await describeHelper(helper.path);
    const remote: Handlers = {};
    for (const contract of Object.values(taskContracts)) {
      if (taskTypes.includes(contract.name)) remote[contract.name] = remoteHandler(contract, helper);
    }
    if (SCRIPT && remote.SCRIPT) remote.SCRIPT = handlerByUser(SCRIPT, remote.SCRIPT, ownUser().name);
    return { handlers: { ...unprivileged, ...remote }, facts };
  } catch (error) {
    log.error(
      { event: 'helper.missing', err: error },
      `no root helper at ${helper.path}: only what needs no root is offered`,
    );
    return {
      handlers: unprivileged,
      facts: { root_helper: 'missing' },
      untilComplete: (signal) => untilHelperAnswers(helper.path, signal),
    };
  }
}

async function untilHelperAnswers(path: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    await systemClock.sleep(lookForHelperMs, signal);
    const found = await describeHelper(path).catch(() => undefined);
    if (found) return;
  }
}
