import { setTimeout as sleep } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import type { ConnectRequest } from '../../shared/api/sessions.ts';
import { AppError } from '../../shared/errors.ts';
import { Mux } from '../../shared/node/mux/mux.ts';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import { openSessionSocket } from '../../shared/node/session-socket.ts';
import type { z } from 'zod';
import type { EndCode } from '../../shared/tunnel/frame.ts';
import { type OpenRequest, openRequestBytes } from '../../shared/tunnel/service.ts';
import { CliError } from '../cli-error.ts';
import type { Environment } from '../environment.ts';
import { exitReasonOf } from '../exit-codes.ts';

export interface SessionWish extends Partial<ConnectRequest> {
  device: string;
  /** How long to wait for the device. Milliseconds. */
  waitMs: number;
}

/** The other end is asked so often whether it lives, and has so long to answer. */
const pingEveryMs = 15_000;
const pongWithinMs = 10_000;
const lingerMs = 500;

/** The operator's end of a session: opens streams, and knows when it is over. */
export class OperatorSession implements AsyncDisposable {
  readonly id: string;
  readonly #mux: Mux;
  readonly #socket: Duplex;
  readonly #ended = Promise.withResolvers<{ code: EndCode; message: string }>();
  readonly #over = new AbortController();

  private constructor(id: string, socket: Duplex) {
    this.id = id;
    this.#socket = socket;
    this.#mux = new Mux(socket, {
      side: 'operator',
      onClose: (code, message) => {
        this.#ended.resolve({ code, message });
        this.#over.abort();
      },
    });
    void this.#watch();
  }

  /** Makes the session and waits until the device has joined it. Throws `CliError` that says why it did not. */
  static async open(
    { client, terminal, settings }: Environment,
    wish: SessionWish,
  ): Promise<OperatorSession> {
    const { device, waitMs, ...request } = wish;
    const seconds = Math.max(1, Math.min(3600, Math.round(waitMs / 1000)));
    const opened = await client.sessions.open(device, { ...request, expires_in_seconds: seconds });
    const late = AbortSignal.timeout(waitMs + 5_000);
    try {
      const socket = await openSessionSocket({
        url: settings.url,
        session: opened.session,
        token: async () => opened.token,
        signal: AbortSignal.any([terminal.signal, late]),
      });
      return new OperatorSession(opened.session, socket);
    } catch (error) {
      await client.sessions.close(opened.session).catch(() => undefined);
      if (terminal.signal.aborted) throw terminal.signal.reason as Error;
      throw failureOf(error, device, late.aborted);
    }
  }

  stream(request: z.input<typeof OpenRequest>): MuxStream {
    return this.#mux.open(openRequestBytes(request));
  }

  /** Settles when the session is over, by whomever. */
  get ended(): Promise<{ code: EndCode; message: string }> {
    return this.#ended.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mux.close('done', 'the operator ended the session');
    await Promise.race([new Promise((resolve) => this.#socket.once('close', resolve)), sleep(lingerMs)]);
    this.#socket.destroy();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      const answer = await Promise.race([
        this.#mux.ping(),
        sleep(pongWithinMs, 'late' as const, { signal, ref: false }).catch(() => 0),
      ]);
      if (answer === 'late')
        this.#mux.close('peerLost', `the device did not answer for ${pongWithinMs / 1000} s`);
      await sleep(pingEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

/** Settles when the operator has had enough; throws when the session ended by anything else. */
export async function lasts(session: OperatorSession, interrupt: AbortSignal): Promise<void> {
  const interrupted = new Promise<undefined>((resolve) => {
    if (interrupt.aborted) resolve(undefined);
    interrupt.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const end = await Promise.race([session.ended, interrupted]);
  if (end) throw new CliError('failed', `the session ended: ${end.message}`, { code: end.code });
}

function failureOf(error: unknown, device: string, isLate: boolean): CliError {
  if (isLate) {
    return new CliError('timedOut', `${device} did not join the session in time`, {
      code: 'not_joined',
      hint: `Is it online? muster device describe ${device}`,
    });
  }
  if (!(error instanceof AppError)) {
    return new CliError(
      'failed',
      `no session to ${device}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  return new CliError(exitReasonOf(error.status, error.code), `no session to ${device}: ${error.message}`, {
    code: error.code,
    detail: error.detail,
    cause: error,
  });
}
