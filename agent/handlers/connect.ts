import type { Duplex } from 'node:stream';
import { TaskError } from '../../shared/errors.ts';
import { Connect, type ConnectParameters, type ConnectResult } from '../../shared/task-types/connect.ts';
import type { EndCode } from '../../shared/tunnel/frame.ts';
import type { Streams } from '../system/streams/streams.ts';
import { bringAway, leftRecordings, Recordings } from '../tunnel/recordings.ts';
import type { RecordingFile } from '../tunnel/recording.ts';
import { type RemoteAccess, sessionMode } from '../tunnel/remote-access.ts';
import { DeviceSession, type SessionEnd } from '../tunnel/session.ts';
import { type Handler, type HandlerContext, handle } from './handler.ts';

export interface ConnectParts {
  streams: Streams;
  policy: RemoteAccess;
  /** Opens this device's side; settles when the operator's side is there too. */
  dial(session: string, signal: AbortSignal): Promise<Duplex>;
  /** Brings a recording into the controller's store. */
  upload(
    request: { code: string; name: 'recording'; file: string; size: number; sha256: string },
    signal: AbortSignal,
  ): Promise<void>;
  /** Folder for recordings until they are uploaded. */
  spool: string;
  deviceName: string;
}

/** How long the upload of a session's recordings may take. */
const uploadMs = 5 * 60_000;

/** Ends that nobody wanted. */
const failures: Partial<Record<EndCode, string>> = {
  peerLost: 'connection_lost',
  protocol: 'protocol_violation',
  internal: 'internal',
};

/** Serves one remote session. Ends COMPLETED by a person or a limit; FAILED when a connection was lost. */
export const createConnectHandler = (parts: ConnectParts): Handler =>
  handle(
    Connect,
    async (parameters, context) => {
      const mode = sessionMode(parts.policy, parameters.mode);
      const startedMs = context.clock.monotonic();
      const socket = await paired(parts, parameters, context);
      const place = { folder: parts.spool, code: context.code };
      const title = `${parts.deviceName}, opened by ${parameters.opened_by}`;
      const recordings =
        parameters.record || parts.policy.always_record
          ? new Recordings(place, context.clock, title)
          : undefined;
      const session = new DeviceSession(socket, {
        streams: parts.streams,
        policy: parts.policy,
        mode,
        clock: context.clock,
        idleMs: parameters.idle_seconds * 1000,
        maxMs: parameters.max_seconds * 1000,
        recordings,
      });
      context.output('agent', `session open for ${parameters.opened_by} (${mode})`);
      const end = await session.run(context.signal);
      const kept = await keepRecordings(parts, (await recordings?.finish()) ?? [], context);
      return concluded(end, {
        duration_ms: Math.round(context.clock.monotonic() - startedMs),
        streams: session.streamsOpened,
        bytes_in: session.bytesIn,
        bytes_out: session.bytesOut,
        peers: session.peers.list(),
        recordings: kept,
      });
    },
    async (_parameters, _interrupted, context) => {
      const left = await leftRecordings({ folder: parts.spool, code: context.code });
      await keepRecordings(parts, left, context);
      throw new TaskError('interrupted', 'The agent or the machine stopped while the session was open');
    },
  ) as Handler;

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

async function keepRecordings(
  { upload }: ConnectParts,
  files: RecordingFile[],
  { clock, code, output }: HandlerContext,
): Promise<string[]> {
  if (files.length === 0) return [];
  // Not the task's own signal: it may have been what ended the session.
  const late = new AbortController();
  const over = new AbortController();
  clock.sleep(uploadMs, over.signal).then(
    () => late.abort(new Error('too late')),
    () => undefined,
  );
  const kept = await bringAway(
    files,
    (file) => upload({ code, name: 'recording', ...file }, late.signal),
    (reason) => output('agent', `a recording was not kept: ${reason}`),
  );
  over.abort(new Error('done'));
  return kept;
}

function concluded(
  { code, message }: SessionEnd,
  counted: Omit<ConnectResult, 'reason' | 'message'>,
): ConnectResult {
  const failure = failures[code];
  const reason =
    code === 'idle' || code === 'limit' ? code : code === 'closedByPerson' ? 'closed' : 'operator_ended';
  const result: ConnectResult = { reason, message, ...counted };
  if (failure) throw new TaskError(failure, `The session ended: ${message}`, { result });
  return result;
}
