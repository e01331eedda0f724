import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { z } from 'zod';
import { HttpAgent, httpRequest } from '../../shared/node/http.ts';
import { deviceToken, type DeviceTokenParts } from './device-token.ts';
import { readRefusal } from './refusal.ts';
import { WrongAnswer } from './transfers-retries.ts';

export interface ExchangeParts extends DeviceTokenParts {
  /** Base URL of the controller. */
  url: string;
}

export interface Asked {
  method: 'GET' | 'POST' | 'PATCH';
  path: string;
  headers?: Record<string, string>;
  body?: Buffer | { content: AsyncIterable<Uint8Array>; bytes: number };
}

const maxSockets = 8;
const maxJsonBytes = 1024 * 1024;

/** Requests to the controller over connections that are kept, each under a token of its own. */
export class Exchanges implements Disposable {
  readonly #parts: ExchangeParts;
  readonly #agent: InstanceType<typeof HttpAgent>;
  readonly #isSecure: boolean;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#isSecure = new URL(parts.url).protocol === 'https:';
    const options = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
    this.#agent = this.#isSecure ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** Settles with an answer of 2xx whose body is still to come; throws `DialRefused` for any other, redirects included. */
  async request(asked: Asked, signal: AbortSignal): Promise<IncomingMessage> {
    for (let stale = 0; ; stale += 1) {
      const request = await this.#open(asked, signal);
      const response = await answerOf(request, asked.body).catch((error: unknown) => {
        signal.throwIfAborted();
        const mayRepeat = asked.body === undefined || Buffer.isBuffer(asked.body);
        if (mayRepeat && isStale(request, error) && stale < maxSockets) return undefined;
        throw error;
      });
      if (response === undefined) continue;
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return response;
      const refusal = await readRefusal(response);
      if (refusal.controllerTime !== undefined) this.#parts.controllerClock.learn(refusal.controllerTime);
      throw refusal;
    }
  }

  /** The answer as a typed value. */
  async json<Schema extends z.ZodType>(
    asked: Asked,
    schema: Schema,
    signal: AbortSignal,
  ): Promise<z.output<Schema>> {
    const response = await this.request(asked, signal);
    requireType(response, 'application/json');
    const body = await readBounded(response, maxJsonBytes, signal);
    let value: unknown;
    try {
      value = JSON.parse(body.toString('utf8'));
    } catch {
      throw new WrongAnswer('the answer is not JSON');
    }
    const outcome = schema.safeParse(value);
    if (!outcome.success) throw new WrongAnswer('the answer is not what was asked for');
    return outcome.data;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #open({ method, path, headers, body }: Asked, signal: AbortSignal): Promise<ClientRequest> {
    const token = await deviceToken(this.#parts);
    signal.throwIfAborted();
    const length =
      body === undefined ? {} : { 'content-length': Buffer.isBuffer(body) ? body.length : body.bytes };
    const make = this.#isSecure ? httpsRequest : httpRequest;
    return make(new URL(path, this.#parts.url), {
      method,
      agent: this.#agent,
      signal,
      headers: { 'accept-encoding': 'identity', ...headers, ...length, authorization: `Bearer ${token}` },
    });
  }
}

/** The controller had closed a kept connection before it could know of this request. */
const isStale = (request: ClientRequest, error: unknown): boolean =>
  request.reusedSocket &&
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ECONNRESET' || error.code === 'EPIPE');

/** The body goes out while the answer may come already: a refusal must be heard although the rest can no longer be sent. */
function answerOf(request: ClientRequest, body: Asked['body']): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    if (body === undefined || Buffer.isBuffer(body)) request.end(body);
    else {
      send(request, body.content).catch((error: unknown) => {
        request.destroy();
        reject(error as Error);
      });
    }
  });
}

/** Asks for the next piece only when the one before was taken from this process: pieces may be the same memory. */
async function send(request: ClientRequest, content: AsyncIterable<Uint8Array>): Promise<void> {
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    const stop = (): void => {
      isOver = true;
      resolve();
    };
    request.once('close', stop);
    request.once('response', (response: IncomingMessage) => {
      stop();
      // Answered before all was sent: this connection cannot carry another request.
      response.once('close', () => {
        if (!request.writableEnded) request.destroy();
      });
    });
  });
  for await (const piece of content) {
    if (isOver) return;
    const written = new Promise<void>((resolve) => {
      request.write(piece, () => resolve()); // an error is told by the request itself
    });
    await Promise.race([written, over]);
  }
  if (!isOver) request.end();
}

export function requireType(response: IncomingMessage, expected: string): void {
  const [type = ''] = (response.headers['content-type'] ?? 'nothing').split(';');
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (type.trim().toLowerCase() === expected && encoding === 'identity') return;
  response.destroy();
  throw new WrongAnswer(
    `the answer is ${type}${encoding === 'identity' ? '' : ` as ${encoding}`}, expected ${expected}`,
  );
}

export async function readBounded(
  response: IncomingMessage,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new WrongAnswer(`the answer is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  return Buffer.concat(chunks);
}
