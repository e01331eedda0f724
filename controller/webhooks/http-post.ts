import { once } from 'node:events';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type AddressRules, checkUrl, guardedLookup } from './address-guard.ts';

export interface PostAnswer {
  status: number;
  /** Beginning of the body. */
  text: string;
  retryAfter: string | undefined;
}

/** Sends one body to one URL. Rejects when there was no answer. */
export type Post = (
  url: string,
  message: { headers: Record<string, string>; body: string },
  signal: AbortSignal,
) => Promise<PostAnswer>;

const maxAnswerBytes = 4096;

/**
 * Over a connection of its own: no redirect is followed, no proxy asked, and of the answer no more is read than its beginning. Where
 * it may go is checked again each time.
 */
export const createPost =
  (rules: AddressRules): Post =>
  async (text, { headers, body }, signal) => {
    const url = checkUrl(text, rules);
    const make = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = make(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      lookup: guardedLookup(rules),
      agent: false,
      signal,
    });
    request.end(body);
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      request.on('error', () => undefined); // the status is known: how the body ends does not matter
      return {
        status: response.statusCode ?? 0,
        text: await beginningOf(response),
        retryAfter: response.headers['retry-after'],
      };
    } finally {
      request.destroy();
    }
  };

async function beginningOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of response) {
      parts.push(part as Buffer);
      size += (part as Buffer).length;
      if (size >= maxAnswerBytes) break;
    }
  } catch {
    // Cut off: what came is enough.
  }
  return Buffer.concat(parts).subarray(0, maxAnswerBytes).toString();
}
