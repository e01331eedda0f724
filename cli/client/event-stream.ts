import pRetry from 'p-retry';
import type { Clock, Random } from '../../shared/clock.ts';
import { CliError } from '../cli-error.ts';
import type { Http } from './http.ts';
import { SseParser } from './sse-parser.ts';
import type { ServerSentEvent } from './sse-parser.ts';

/** The stream is taken for dead after this long without a byte; the controller sends comments more often. */
const silenceMs = 90_000;
const minDelayMs = 500;
const maxDelayMs = 15_000;

export interface EventFilter {
  organization?: string | undefined;
  task?: string | undefined;
  run?: string | undefined;
}

export interface EventListener {
  /** A stream was opened: what happened before may have been missed. */
  opened?(): void;
  event(event: ServerSentEvent): void;
  /** The stream ended or could not be opened; it is tried again. */
  lost?(error: unknown): void;
}

export interface EventStreamParts {
  http: Http;
  clock: Clock;
  random: Random;
  filter: EventFilter;
  /** Cursor to resume after; undefined: from now on. */
  after?: string | undefined;
}

/** Listens to GET /api/v1/events until aborted, resuming by cursor after every break. Throws only refusals that will not go away. */
export async function listenToEvents(parts: EventStreamParts, listener: EventListener, signal: AbortSignal) {
  const { clock, random } = parts;
  let cursor = parts.after;
  while (!signal.aborted) {
    const silence = new Silence(signal);
    try {
      const response = await open(parts, cursor, silence, listener);
      for await (const event of eventsOf(response, silence)) {
        if (event.id !== '') cursor = event.id;
        if (event.data !== '') listener.event(event);
      }
      listener.lost?.(undefined);
    } catch (error) {
      if (signal.aborted) return;
      if (isLasting(error)) throw error;
      listener.lost?.(error);
    } finally {
      silence.end();
    }
    // Jitter: many clients must not return at once after a restart of the controller.
    await clock.sleep(50 + random.fraction() * minDelayMs, signal).catch(() => undefined);
  }
}

async function open(
  { http, filter }: EventStreamParts,
  cursor: string | undefined,
  silence: Silence,
  listener: EventListener,
): Promise<Response> {
  const response = await pRetry(
    () => {
      silence.heard();
      return http.stream('/api/v1/events', filter, {
        headers: {
          accept: 'text/event-stream',
          ...(cursor === undefined ? {} : { 'last-event-id': cursor }),
        },
        signal: silence.signal,
      });
    },
    {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: minDelayMs,
      maxTimeout: maxDelayMs,
      randomize: true,
      signal: silence.signal,
      shouldRetry: ({ error }) => !isLasting(error),
      onFailedAttempt: ({ error }) => listener.lost?.(error),
    },
  );
  listener.opened?.();
  return response;
}

async function* eventsOf(response: Response, silence: Silence): AsyncGenerator<ServerSentEvent> {
  const parser = new SseParser();
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    silence.heard();
    yield* parser.push(decoder.decode(bytes, { stream: true }));
  }
}

/** Ends a stream on which nothing was heard for too long: half-dead connections never end by themselves. */
class Silence {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.#controller.signal]);
    this.#timer = setTimeout(() => {
      this.#controller.abort(new Error(`nothing heard for ${silenceMs / 1000} s`));
    }, silenceMs);
  }

  heard(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}

const isLasting = (error: unknown): boolean =>
  error instanceof CliError && ['forbidden', 'notFound', 'usage'].includes(error.exit);
