import type { Duplex } from 'node:stream';
import type { Clock } from '../../shared/clock.ts';
import { TaskError } from '../../shared/errors.ts';
import { Mux } from '../../shared/node/mux/mux.ts';
import { type MuxStream, StreamReset } from '../../shared/node/mux/mux-stream.ts';
import { parseJson } from '../../shared/parse.ts';
import type { SessionMode } from '../../shared/task-types/connect.ts';
import type { EndCode } from '../../shared/tunnel/frame.ts';
import { OpenRequest } from '../../shared/tunnel/service.ts';
import type { Streams } from '../system/streams/streams.ts';
import { serveExec } from './exec-service.ts';
import type { Recordings } from './recordings.ts';
import { type RemoteAccess, requireService, serviceName } from './remote-access.ts';
import { relay } from './relay.ts';
import { serveShell } from './shell-service.ts';
import { serveTcp } from './tcp-service.ts';
import { Peers } from './peers.ts';

export interface SessionParts {
  streams: Streams;
  policy: RemoteAccess;
  mode: SessionMode;
  clock: Clock;
  idleMs: number;
  maxMs: number;
  /** Undefined: shells are not recorded. */
  recordings: Recordings | undefined;
  /** Opens shells and commands elsewhere, for an agent that may not start them itself; it is handed the request as it came. */
  openProgram?: ((request: Uint8Array) => Promise<MuxStream>) | undefined;
  windowBudgetBytes?: number | undefined;
}

export interface SessionEnd {
  code: EndCode;
  message: string;
}

/** How often an end that does not answer is asked whether it lives, and how long it may take. */
const pingEveryMs = 15_000;
const pongWithinMs = 10_000;
/** What was said last has so long to leave. */
const lingerMs = 2_000;

/**
 * The device's end of one session.
 *
 * - Every stream is held against the device's own policy before anything is opened for it.
 * - Whatever a stream started ends with it; whatever the session holds ends with the session.
 * - A peer that does not answer a ping in time is lost: nothing stays half-alive.
 */
export class DeviceSession {
  readonly #parts: SessionParts;
  readonly #mux: Mux;
  readonly #over = new AbortController();
  readonly #ended = Promise.withResolvers<SessionEnd>();
  readonly peers = new Peers();
  #lastBytes = 0;
  #activeMs: number;

  constructor(socket: Duplex, parts: SessionParts) {
    this.#parts = parts;
    this.#activeMs = parts.clock.monotonic();
    this.#mux = new Mux(socket, {
      side: 'device',
      windowBudgetBytes: parts.windowBudgetBytes,
      onStream: (stream) => void this.#serve(stream),
      onClose: (code, message) => {
        this.#ended.resolve({ code, message });
        this.#over.abort(new StreamReset(code, message));
        setTimeout(() => socket.destroy(), lingerMs).unref();
      },
    });
  }

  get bytesIn(): number {
    return this.#mux.bytesReceived;
  }

  get bytesOut(): number {
    return this.#mux.bytesSent;
  }

  get streamsOpened(): number {
    return this.#mux.streamsOpened;
  }

  /** Settles when the session is over, by whomever; aborting closes it as `closedByPerson`. */
  async run(signal: AbortSignal): Promise<SessionEnd> {
    const close = (): void => this.#mux.close('closedByPerson', reasonOf(signal));
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    void this.#watch().catch(() => undefined); // ends with the session
    const end = await this.#ended.promise;
    signal.removeEventListener('abort', close);
    return end;
  }

  async #serve(stream: MuxStream): Promise<void> {
    let name = 'unknown';
    try {
      const request = parseJson(
        'request of a stream',
        OpenRequest,
        Buffer.from(stream.request).toString('utf8'),
      );
      name = serviceName(request);
      requireService(this.#parts.policy, this.#parts.mode, request);
      this.peers.opened(name, stream);
      await this.#join(stream, request);
    } catch (error) {
      if (error instanceof TaskError || !(error instanceof StreamReset)) this.peers.refused(name);
      stream.destroy(resetFor(error));
    }
  }

  #join(stream: MuxStream, request: OpenRequest): Promise<void> {
    const { streams, policy, recordings, openProgram } = this.#parts;
    const signal = this.#over.signal;
    if (request.service === 'tcp') return serveTcp(stream, request, streams, signal);
    if (openProgram) return openProgram(stream.request).then((program) => relay(stream, program));
    if (request.service === 'exec') return serveExec(stream, request, streams, policy.user);
    return serveShell(stream, request, { streams, user: policy.user, recording: recordings?.begin(request) });
  }

  /** Limits and signs of life, until the session is over. */
  async #watch(): Promise<void> {
    const { clock, idleMs, maxMs } = this.#parts;
    const startedMs = clock.monotonic();
    const signal = this.#over.signal;
    for (;;) {
      const now = clock.monotonic();
      const bytes = this.bytesIn + this.bytesOut;
      if (bytes !== this.#lastBytes) this.#activeMs = now;
      this.#lastBytes = bytes;
      if (now - startedMs >= maxMs)
        this.#mux.close('limit', `The session reached its limit of ${maxMs / 1000} s`);
      if (now - this.#activeMs >= idleMs) this.#mux.close('idle', `Nothing was sent for ${idleMs / 1000} s`);
      if (this.#mux.isOver) return;
      await this.#requireAlive(signal);
      const next = Math.min(pingEveryMs, startedMs + maxMs - now, this.#activeMs + idleMs - now);
      await clock.sleep(Math.max(10, next), signal);
    }
  }

  async #requireAlive(signal: AbortSignal): Promise<void> {
    const waited = new AbortController();
    const late = this.#parts.clock.sleep(pongWithinMs, AbortSignal.any([signal, waited.signal])).then(
      () => 'late' as const,
      () => 'over' as const,
    );
    const answer = await Promise.race([this.#mux.ping(), late]);
    waited.abort();
    if (answer === 'late')
      this.#mux.close('peerLost', `The operator's side did not answer for ${pongWithinMs / 1000} s`);
  }
}

function resetFor(error: unknown): StreamReset {
  if (error instanceof StreamReset) return error;
  if (!(error instanceof TaskError)) {
    return new StreamReset('internal', error instanceof Error ? error.message : String(error));
  }
  const code = error.code === 'policy' ? 'policy' : error.code === 'unreachable' ? 'unreachable' : 'refused';
  return new StreamReset(code, error.message);
}

const reasonOf = ({ reason }: AbortSignal): string =>
  reason instanceof Error ? reason.message : String(reason);
