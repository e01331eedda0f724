import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../../shared/errors.ts';
import type { EventFilter } from '../store/events.ts';
import { bearerOf } from './guard.ts';
import type { ApiParts } from './parts.ts';
import type { Call } from './route.ts';
import { comment, sseText } from './sse-text.ts';

/**
 * The open event streams.
 *
 * - A stream reads at its reader's pace: nothing is taken from the store while the socket is full, so what waits in memory is at most
 *   one event beyond the socket's own buffer.
 * - A reader that takes nothing for `slowReaderMs` is disconnected; it may resume where it was.
 * - A stream ends when its token does.
 */
export class EventStreams {
  readonly #open = new Set<AbortController>();
  readonly #parts: ApiParts;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /** Takes the response over; settles when the stream is over. */
  async serve(call: Call, filter: EventFilter, after: number | undefined): Promise<void> {
    const { config, core, store } = this.#parts;
    if (this.#open.size >= config.maxEventStreams) {
      throw new AppError('unavailable', `${config.maxEventStreams} event streams are open already`, {
        detail: { retry_after_ms: 10_000 },
      });
    }
    // Known before the head is sent: whatever happens once the reader sees the stream open is in it.
    const from = after ?? (await store.events.range()).newest;
    const ended = new AbortController();
    const response = startResponse(call, from);
    if (response.destroyed) return;
    response.once('close', () => ended.abort());
    this.#open.add(ended);
    try {
      await Promise.race([
        this.#pump(response, core.events.subscribe(filter, from, ended.signal), ended),
        this.#beat(call, response, ended),
        once(ended.signal, 'abort'),
      ]);
    } catch (error) {
      // The head is sent: all that is left is to end it, so that the reader comes back.
      if (!ended.signal.aborted)
        this.#parts.log.error({ err: error, requestId: call.request.id }, 'event stream failed');
    } finally {
      ended.abort();
      this.#open.delete(ended);
      this.#finish(response, 'ended');
    }
  }

  /** Ends all of them, so that the server can close. */
  close(): void {
    for (const ended of this.#open) ended.abort();
  }

  async #pump(
    response: ServerResponse,
    items: ReturnType<ApiParts['core']['events']['subscribe']>,
    ended: AbortController,
  ): Promise<void> {
    let written = 0;
    for await (const item of items) {
      if (ended.signal.aborted) return;
      if (!response.write(sseText(item))) await this.#drained(response, ended);
      // Store and socket both answer at once as long as they can: without this a long replay would hold up everybody else.
      if (++written % eventsPerTurn === 0) await nextTurn();
    }
  }

  /** Keeps proxies from closing a quiet stream, and asks again whether the token is still good. */
  async #beat(call: Call, response: ServerResponse, ended: AbortController): Promise<void> {
    const { clock, config, core } = this.#parts;
    while (!ended.signal.aborted) {
      await clock.sleep(config.eventHeartbeatMs, ended.signal);
      const stillGood = await core.access.logins.authenticate(bearerOf(call.request)).then(
        () => true,
        (error: unknown) => !(error instanceof AppError && error.status === 401),
      );
      if (!stillGood) return this.#finish(response, 'the token has ended');
      if (!response.writableNeedDrain) response.write(comment('heartbeat'));
    }
  }

  async #drained(response: ServerResponse, ended: AbortController): Promise<void> {
    const { clock, config } = this.#parts;
    const waited = new AbortController();
    const stop = AbortSignal.any([ended.signal, waited.signal]);
    try {
      const slow = clock.sleep(config.slowReaderMs, stop).then(() => true);
      const took = once(response, 'drain', { signal: stop }).then(() => false);
      // Whichever loses is aborted below and rejects with nobody to hear it.
      slow.catch(() => undefined);
      took.catch(() => undefined);
      if (await Promise.race([slow, took])) {
        this.#finish(response, `disconnected: nothing was read for ${config.slowReaderMs} ms`);
        ended.abort();
      }
    } finally {
      waited.abort();
    }
  }

  /** Says why, and drops the connection soon after when the reader does not take even that. */
  #finish(response: ServerResponse, why: string): void {
    if (response.writableEnded) return;
    response.end(comment(why));
    const finished = new AbortController();
    response.once('close', () => finished.abort());
    void this.#parts.clock.sleep(goodbyeMs, finished.signal).then(
      () => response.destroy(),
      () => undefined,
    );
  }
}

/** About two milliseconds of work. */
const eventsPerTurn = 256;

/** Time for the last words to leave. */
const goodbyeMs = 1_000;

function startResponse({ reply }: Call, from: number): ServerResponse {
  reply.hijack();
  const response = reply.raw;
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Nothing follows on this connection: one kept alive would hold up the server when it closes.
    connection: 'close',
    // Proxies of the nginx family hold answers back otherwise.
    'x-accel-buffering': 'no',
  });
  // An id alone tells the reader where to resume when the stream breaks before the first event.
  response.write(`${comment('open').trimEnd()}\nid: ${from}\n\n`);
  return response;
}
