import type { Duplex } from 'node:stream';
import { TaskError } from '../../shared/errors.ts';
import { Connect, type ConnectParameters } from '../../shared/task-types/connect.ts';
import { sessionMode } from '../tunnel/remote-access.ts';
import { type Handler, type HandlerContext, handle, type Interrupted } from './handler.ts';
import {
  keepLeftRecordings,
  serveSession,
  type SessionPrograms,
  type SessionServices,
} from './serve-session.ts';

export interface ConnectParts extends SessionServices {
  /** Opens this device's side; settles when the operator's side is there too. */
  dial(session: string, signal: AbortSignal): Promise<Duplex>;
  /** Where shells and commands are started, when the agent may not start them itself. */
  elsewhere?: ProgramsElsewhere | undefined;
}

export interface ProgramsElsewhere {
  /** For a session that begins. Never throws: a stream that is opened later is told what is wrong. */
  begin(context: HandlerContext): SessionPrograms;
  /** After a crash in the middle. */
  recover(interrupted: Interrupted, context: HandlerContext): Promise<void>;
}

/** Serves one remote session. Ends COMPLETED by a person or a limit; FAILED when a connection was lost. */
export const createConnectHandler = (parts: ConnectParts): Handler =>
  handle(
    Connect,
    async (parameters, context) => {
      const mode = sessionMode(parts.policy, parameters.mode);
      // Before anybody is there: once the order was used for one session, nobody can use it for another.
      const programs = parts.elsewhere?.begin(context);
      try {
        const socket = await paired(parts, parameters, context);
        context.output('agent', `session open for ${parameters.opened_by} (${mode})`);
        return await serveSession(parts, { socket, mode, parameters, context, programs });
      } finally {
        await programs?.end();
      }
    },
    async (_parameters, interrupted, context) => {
      await keepLeftRecordings(parts, context);
      await parts.elsewhere?.recover(interrupted, context);
      throw interruptedError();
    },
  ) as Handler;

export const interruptedError = (): TaskError =>
  new TaskError('interrupted', 'The agent or the machine stopped while the session was open');

/** Waits for the operator, no longer than agreed. */
async function paired(
  { dial }: ConnectParts,
  { session, pair_seconds: seconds }: ConnectParameters,
  { clock, signal }: HandlerContext,
): Promise<Duplex> {
  const waited = new AbortController();
  const late = new AbortController();
  clock.sleep(seconds * 1000, waited.signal).then(
    () => late.abort(new TaskError('not_paired', `The operator did not come within ${seconds} s`)),
    () => undefined,
  );
  const until = AbortSignal.any([signal, late.signal]);
  try {
    return await dial(session, until);
  } catch (error) {
    until.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new TaskError('not_joined', `The session could not be joined: ${reason}`, { cause: error });
  } finally {
    waited.abort(new Error('paired'));
  }
}
