import type { IncomingMessage } from 'node:http';
import { ErrorBody } from '../../shared/api/common.ts';
import { LinkRefusalDetail } from '../../shared/protocol/enrol.ts';
import { DialRefused } from './dial-refused.ts';

/** A refusal's body is short; a longer one is not ours. */
const maxRefusalBytes = 64 * 1024;

/** Reads an answer that is not the one that was hoped for. */
export async function readRefusal(response: IncomingMessage): Promise<DialRefused> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxRefusalBytes) break;
    chunks.push(chunk);
  }
  const refusal = parseRefusal(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8'));
  const named = Number(response.headers['retry-after']);
  if (refusal.retryAfterMs !== undefined || !Number.isFinite(named) || named < 0) return refusal;
  return new DialRefused(refusal.code, refusal.message, {
    retryAfterMs: named * 1000,
    controllerTime: refusal.controllerTime,
  });
}

/** Understands a refusal of ours; whatever else answers (a proxy, another server) is named by its status. */
export function parseRefusal(status: number, body: string): DialRefused {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = undefined;
  }
  const error = ErrorBody.partial({ request_id: true }).safeParse(value);
  if (!error.success)
    return new DialRefused(`http_${status}`, `The controller's address answered HTTP ${status}`);

  const detail = LinkRefusalDetail.partial().safeParse(error.data.detail);
  return new DialRefused(error.data.code, error.data.error, {
    retryAfterMs: detail.data?.retry_after_ms,
    controllerTime: detail.data?.controller_time,
  });
}
