import type { Duplex } from 'node:stream';
import { Connect } from '../../shared/task-types/connect.ts';
import { sessionMode } from '../tunnel/remote-access.ts';
import { interruptedError } from './connect.ts';
import { type Handler, handle } from './handler.ts';
import { keepLeftRecordings, serveSession, type SessionServices } from './serve-session.ts';

/**
 * The root helper's part of one session: its shells and commands, over `agent`, whom it does not trust.
 *
 * - The policy of the device decides about each; connections are the agent's own and opened by it alone.
 * - What was started ends with the session, and the session no later than its order allows, whatever the agent says.
 */
export const createProgramsHandler = (services: SessionServices, agent: Duplex): Handler => {
  const policy = { ...services.policy, targets: [], read_only_targets: [] };
  return handle(
    Connect,
    (parameters, context) => {
      const mode = sessionMode(policy, parameters.mode);
      // It began when the agent began to wait for the operator. Whether the session is idle only the agent sees, who knows its connections.
      const seconds = parameters.pair_seconds + parameters.max_seconds;
      return serveSession(
        { ...services, policy },
        {
          socket: agent,
          mode,
          parameters: { ...parameters, idle_seconds: seconds, max_seconds: seconds },
          context,
          windowBudgetBytes: 0,
        },
      );
    },
    async (_parameters, _interrupted, context) => {
      await keepLeftRecordings(services, context);
      throw interruptedError();
    },
  ) as Handler;
};
