import type { Duplex } from 'node:stream';
import { TaskError } from '../../shared/errors.ts';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import type { ConnectParameters, ConnectResult, SessionMode } from '../../shared/task-types/connect.ts';
import type { EndCode } from '../../shared/tunnel/frame.ts';
import type { Streams } from '../system/streams/streams.ts';
import { bringAway, leftRecordings, Recordings } from '../tunnel/recordings.ts';
import type { RecordingFile } from '../tunnel/recording.ts';
import type { RemoteAccess } from '../tunnel/remote-access.ts';
import { DeviceSession, type SessionEnd } from '../tunnel/session.ts';
import type { HandlerContext } from './handler.ts';

/** What sessions work with, in the agent and in the root helper. */
export interface SessionServices {
  streams: Streams;
  policy: RemoteAccess;
  /** Brings a recording into the controller's store. */
  upload(
    request: { code: string; name: 'recording'; file: string; size: number; sha256: string },
    signal: AbortSignal,
  ): Promise<void>;
  /** Folder for recordings until they are uploaded. */
  spool: string;
  deviceName: string;
}

/** The shells and commands of one session, for an agent that may not start them itself. They are recorded where they are started. */
export interface SessionPrograms {
  /** A stream to a new one, for the request of an operator's stream. Rejects with a `TaskError` that says why there can be none. */
  open(request: Uint8Array): Promise<MuxStream>;
  /** Ends them all; settles with the digests of the recordings that were brought away. Harmless twice. */
  end(): Promise<string[]>;
}

export interface ServedSession {
  socket: Duplex;
  mode: SessionMode;
  parameters: ConnectParameters;
  context: HandlerContext;
  /** Absent: they are started here. */
  programs?: SessionPrograms | undefined;
  windowBudgetBytes?: number;
}

/** How long the upload of a session's recordings may take. */
export const uploadMs = 5 * 60_000;

/** Ends that nobody wanted. */
const failures: Partial<Record<EndCode, string>> = {
  peerLost: 'connection_lost',
  protocol: 'protocol_violation',
  internal: 'internal',
};

/** Serves a session until it ends, and brings its recordings away. Throws `TaskError` when a connection was lost. */
export async function serveSession(
  services: SessionServices,
  { socket, mode, parameters, context, programs, windowBudgetBytes }: ServedSession,
): Promise<ConnectResult> {
  const { clock, signal } = context;
  const startedMs = clock.monotonic();
  const recordings = programs ? undefined : recordingsOf(services, parameters, context);
  const session = new DeviceSession(socket, {
    streams: services.streams,
    policy: services.policy,
    mode,
    clock,
    idleMs: parameters.idle_seconds * 1000,
    maxMs: parameters.max_seconds * 1000,
    recordings,
    openProgram: programs && ((request) => programs.open(request)),
    windowBudgetBytes,
  });
  const end = await session.run(signal);
  const kept = programs
    ? await programs.end()
    : await keepRecordings(services, (await recordings?.finish()) ?? [], context);
  return concluded(end, {
    duration_ms: Math.round(clock.monotonic() - startedMs),
    streams: session.streamsOpened,
    bytes_in: session.bytesIn,
    bytes_out: session.bytesOut,
    peers: session.peers.list(),
    recordings: kept,
  });
}

/** Brings away what a process that died left of a session's recordings. */
export async function keepLeftRecordings(services: SessionServices, context: HandlerContext): Promise<void> {
  const left = await leftRecordings({ folder: services.spool, code: context.code });
  await keepRecordings(services, left, context);
}

function recordingsOf(
  { policy, spool: folder, deviceName }: SessionServices,
  { record, opened_by: operator }: ConnectParameters,
  { clock, code }: HandlerContext,
): Recordings | undefined {
  if (!record && !policy.always_record) return undefined;
  return new Recordings({ folder, code }, clock, `${deviceName}, opened by ${operator}`);
}

async function keepRecordings(
  { upload }: SessionServices,
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
