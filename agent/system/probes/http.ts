import { request as requestHttps } from 'node:https';
import { httpRequest } from '../../../shared/node/http.ts';
import { networkError } from './network-error.ts';

/**
 * One GET. A redirect is an answer like any other and is not followed: the check is about the server that was named. Only
 * the status is awaited, the body is not read. A certificate that this machine does not trust is a failure.
 */
export async function http(
  url: string,
  signal: AbortSignal,
): Promise<{ status: number; durationMs: number }> {
  signal.throwIfAborted();
  const target = new URL(url);
  const startedMs = performance.now();
  const send = target.protocol === 'https:' ? requestHttps : httpRequest;
  // No pooled connection: the check is about reaching the server now.
  const request = send(target, {
    agent: false,
    signal,
    headers: { 'user-agent': 'muster-agent', accept: '*/*' },
  });
  try {
    const status = await new Promise<number>((resolve, reject) => {
      request.once('response', (response) => resolve(response.statusCode ?? 0));
      request.once('error', reject);
      request.end();
    });
    return { status, durationMs: performance.now() - startedMs };
  } catch (error) {
    throw networkError(`GET ${target.origin}`, error, signal);
  } finally {
    request.on('error', () => undefined); // destroying it is no news
    request.destroy();
  }
}
