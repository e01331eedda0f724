import pRetry from 'p-retry';
import type { z } from 'zod';
import type { Clock } from '../../shared/clock.ts';
import { CliError } from '../cli-error.ts';
import { refusal, unreachable } from './failure.ts';
import { understood } from './understood.ts';

const requestTimeoutMs = 30_000;
const maxRetryAfterMs = 30_000;
const maxRetries = 3;

export interface HttpParts {
  url: string;
  /** A function is asked before each request. */
  token: string | (() => Promise<string>) | undefined;
  /** Where the owner of a session acts, for routes that name no organization. */
  organization?: string | undefined;
  clock: Clock;
  signal: AbortSignal;
  /** Told when a request is tried again, and why. */
  onRetry?: (reason: string) => void;
}

export interface RequestParts<Schema extends z.ZodType> {
  query?: object;
  body?: object;
  /** A body that is not JSON. */
  bytes?: Blob;
  /** Makes a request that creates something safe to send twice. */
  idempotencyKey?: string;
  signal?: AbortSignal;
  /** For requests that the controller needs longer for than others. */
  timeoutMs?: number;
  /** What to do about refusals, by code, where the general hints do not fit. */
  hints?: Record<string, string>;
  /** Loaded while the answer is on its way: starting up must not wait for it. */
  answer: () => Promise<Schema>;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** JSON over HTTP with the controller. What may be sent twice is tried again when the connection breaks or the controller is busy. */
export class Http {
  readonly url: string;
  readonly #parts: HttpParts;

  constructor(parts: HttpParts) {
    this.url = parts.url;
    this.#parts = parts;
  }

  async request<Schema extends z.ZodType>(
    method: Method,
    path: string,
    parts: RequestParts<Schema>,
  ): Promise<z.output<Schema>> {
    const isRepeatable = method !== 'POST' || parts.idempotencyKey !== undefined;
    const [{ body, requestId }, schema] = await Promise.all([
      this.#attempts(isRepeatable ? maxRetries : 0, method, path, parts),
      parts.answer(),
    ]);
    return understood(schema, body, `${method} ${path}`, requestId);
  }

  /** The raw response of a GET that streams; refusals throw. */
  async stream(
    path: string,
    query: object,
    options: { headers: Record<string, string>; signal: AbortSignal },
  ) {
    const response = await this.#fetch('GET', path, {
      query,
      headers: options.headers,
      signal: options.signal,
    });
    if (!response.ok) throw refusal(response, await response.text(), { url: this.url });
    return response;
  }

  async #attempts<Schema extends z.ZodType>(
    retries: number,
    method: Method,
    path: string,
    parts: RequestParts<Schema>,
  ) {
    const { signal, clock, onRetry } = this.#parts;
    return await pRetry(() => this.#once(method, path, parts), {
      retries,
      minTimeout: 250,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => isPassing(error),
      onFailedAttempt: async ({ error, retriesLeft }) => {
        if (retriesLeft === 0 || !isPassing(error)) return;
        onRetry?.(error.message);
        await clock.sleep(askedDelayMs(error), signal);
      },
    });
  }

  async #once<Schema extends z.ZodType>(method: Method, path: string, parts: RequestParts<Schema>) {
    const signals = [this.#parts.signal, AbortSignal.timeout(parts.timeoutMs ?? requestTimeoutMs)];
    if (parts.signal) signals.push(parts.signal);
    const headers: Record<string, string> = {};
    if (parts.idempotencyKey !== undefined) headers['idempotency-key'] = parts.idempotencyKey;
    const response = await this.#fetch(method, path, {
      query: parts.query,
      body: parts.body,
      bytes: parts.bytes,
      headers,
      signal: AbortSignal.any(signals),
    });
    const text = await response.text().catch((error: unknown) => {
      throw this.#broken(error);
    });
    if (!response.ok) throw refusal(response, text, { url: this.url, hints: parts.hints });
    return { body: fromJson(text), requestId: response.headers.get('x-request-id') ?? undefined };
  }

  async #fetch(method: Method, path: string, parts: FetchParts): Promise<Response> {
    const { token: source, organization } = this.#parts;
    const token = typeof source === 'function' ? await source() : source;
    const headers: Record<string, string> = { accept: 'application/json', ...parts.headers };
    if (organization !== undefined) headers['muster-organization'] = organization;
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (parts.body !== undefined) headers['content-type'] = 'application/json';
    if (parts.bytes !== undefined) headers['content-type'] = 'application/octet-stream';
    try {
      return await fetch(`${this.url}${path}${queryText(parts.query)}`, {
        method,
        headers,
        body: parts.bytes ?? (parts.body === undefined ? null : JSON.stringify(parts.body)),
        signal: parts.signal,
        // A redirect would carry the token to a place nobody named.
        redirect: 'error',
      });
    } catch (error) {
      throw this.#broken(error);
    }
  }

  #broken(error: unknown): unknown {
    if (this.#parts.signal.aborted) return this.#parts.signal.reason;
    return unreachable(this.url, error);
  }
}

interface FetchParts {
  query?: object | undefined;
  body?: object | undefined;
  bytes?: Blob | undefined;
  headers: Record<string, string>;
  signal: AbortSignal;
}

function queryText(query: object = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) search.append(key, String(value));
  }
  return search.size === 0 ? '' : `?${search}`;
}

function fromJson(text: string): unknown {
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError('failed', 'the answer is not JSON: is this address a Muster controller?', {
      code: 'unexpected_answer',
      cause,
    });
  }
}

/** The same request may work later. */
const isPassing = (error: unknown): error is CliError =>
  error instanceof CliError &&
  ['connection_broken', 'too_many_requests', 'unavailable'].includes(error.code) &&
  askedDelayMs(error) <= maxRetryAfterMs;

function askedDelayMs({ detail }: CliError): number {
  const asked = (detail as { retry_after_ms?: unknown } | undefined)?.retry_after_ms;
  return typeof asked === 'number' ? asked : 0;
}
