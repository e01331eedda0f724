import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocket } from 'ws';
import { ErrorBody } from '../api/common.ts';
import { AppError, errorTable, type ErrorCode } from '../errors.ts';
import { sessionHeader, sessionPath, sessionUpgrade } from '../protocol/session.ts';
import { httpRequest } from './http.ts';

export interface SessionSocketParts {
  /** Base URL of the controller. */
  url: string;
  session: string;
  /** A bearer for one request: another is taken when the path insists on WebSocket. */
  token: () => Promise<string>;
  signal: AbortSignal;
}

/** An answer longer than this is not ours. */
const maxRefusalBytes = 64 * 1024;

/** The path to the controller does not pass raw upgrades: a proxy answered, asked on without it, or cut the connection. */
class NotPassed extends Error {}

/**
 * Opens one side of a session as a byte stream: raw after an HTTP/1.1 Upgrade where the path allows it (1.4 to 3 times the throughput of
 * WebSocket frames in Node), else over WebSocket. The controller answers when the other side is there too. Throws `AppError` with its refusal.
 */
export async function openSessionSocket(parts: SessionSocketParts): Promise<Duplex> {
  try {
    return await openRaw(parts);
  } catch (error) {
    if (!(error instanceof NotPassed)) throw error;
    return openWebSocket(parts);
  }
}

const headersOf = async ({ session, token }: SessionSocketParts): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await token()}`,
  [sessionHeader]: session,
});

async function openRaw(parts: SessionSocketParts): Promise<Duplex> {
  const target = new URL(sessionPath, parts.url);
  const headers = { ...(await headersOf(parts)), connection: 'Upgrade', upgrade: sessionUpgrade };
  const make = target.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = make(target, { headers, agent: false, signal: parts.signal });
  return new Promise((resolve, reject) => {
    request.once('upgrade', (_response: IncomingMessage, socket: Socket, head: Buffer) => {
      socket.setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.once('response', (response) => void readRefusal(response).then(reject, reject));
    request.once('error', (error) => reject(parts.signal.aborted ? error : unreachable(request, error)));
    request.end();
  });
}

/** Cut off after the request was sent: something on the way does not like it. Before: nobody is there. */
function unreachable(request: ClientRequest, error: NodeJS.ErrnoException): Error {
  if (
    request.socket?.connecting === false &&
    (error.code === 'ECONNRESET' || error.code === 'HPE_INVALID_CONSTANT')
  ) {
    return new NotPassed(error.message);
  }
  return new AppError('unavailable', `The controller cannot be reached for the session: ${error.message}`, {
    cause: error,
  });
}

async function openWebSocket(parts: SessionSocketParts): Promise<Duplex> {
  const target = new URL(sessionPath, parts.url);
  target.protocol = target.protocol.replace('http', 'ws');
  const ws = new WebSocket(target, sessionUpgrade, {
    headers: await headersOf(parts),
    perMessageDeflate: false,
    followRedirects: false,
  });
  const abort = (): void => ws.terminate();
  parts.signal.addEventListener('abort', abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      ws.once('open', resolve);
      ws.once('error', reject);
      ws.once('unexpected-response', (_request, response) => void readRefusal(response).then(reject, reject));
    });
  } catch (error) {
    ws.terminate();
    parts.signal.throwIfAborted();
    throw error instanceof AppError
      ? error
      : new AppError(
          'unavailable',
          'The controller cannot be reached for the session, neither raw nor by WebSocket',
          { cause: error },
        );
  } finally {
    parts.signal.removeEventListener('abort', abort);
  }
  return createWebSocketStream(ws, { allowHalfOpen: false });
}

/** Our own refusals are JSON; whatever else answers stands between us and the controller, as does what took the upgrade out. */
async function readRefusal(response: IncomingMessage): Promise<Error> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxRefusalBytes) break;
    chunks.push(chunk);
  }
  response.destroy();
  const status = response.statusCode ?? 0;
  try {
    const { code, error, detail } = ErrorBody.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    if (code === 'upgrade_required') return new NotPassed(error);
    const known = code in errorTable ? (code as ErrorCode) : 'unavailable';
    return new AppError(known, error, { detail });
  } catch {
    return new NotPassed(`HTTP ${status} from something that is not the controller`);
  }
}
