import type { IncomingMessage } from 'node:http';
import { SignJWT } from 'jose/jwt/sign';
import { WebSocket } from 'ws';
import { ErrorBody } from '../../shared/api/common.ts';
import type { Random } from '../../shared/clock.ts';
import type { KeyPair } from '../../shared/node/keys.ts';
import { LinkRefusalDetail, linkPath, linkTokenLifetimeSeconds } from '../../shared/protocol/enrol.ts';
import { maxFrameBytes } from '../../shared/protocol/version.ts';
import type { ControllerClock } from './controller-clock.ts';
import { type Dial, DialRefused } from './dial-refused.ts';
import { WsSocket } from './ws-socket.ts';

export interface DialParts {
  /** Base URL of the controller. */
  url: string;
  controllerId: string;
  deviceId: string;
  keys: KeyPair;
  controllerClock: ControllerClock;
  random: Random;
  handshakeTimeoutMs?: number;
}

/** A refusal's body is short; a longer one is not ours. */
const maxRefusalBytes = 64 * 1024;

/** Dials the controller over WebSocket, authenticated before the upgrade by a token that the device signs. */
export function wsDial(parts: DialParts): Dial {
  const { url, controllerClock, handshakeTimeoutMs = 20_000 } = parts;
  const target = new URL(linkPath, url);
  target.protocol = target.protocol.replace('http', 'ws');

  return async (signal) => {
    signal.throwIfAborted();
    const token = await linkToken(parts);
    signal.throwIfAborted();
    const ws = new WebSocket(target, {
      headers: { authorization: `Bearer ${token}` },
      handshakeTimeout: handshakeTimeoutMs,
      maxPayload: maxFrameBytes,
      perMessageDeflate: false,
      followRedirects: false,
    });
    // Made before the upgrade completes, so that no frame that comes with it is missed.
    const socket = new WsSocket(ws);
    try {
      await opened(ws, signal);
      return socket;
    } catch (error) {
      ws.terminate();
      if (error instanceof DialRefused && error.controllerTime !== undefined) {
        controllerClock.learn(error.controllerTime);
      }
      throw error;
    }
  };
}

async function linkToken({
  controllerClock,
  random,
  keys,
  deviceId,
  controllerId,
}: DialParts): Promise<string> {
  const issuedAt = Math.floor(controllerClock.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA' })
    .setSubject(deviceId)
    .setAudience(controllerId)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + linkTokenLifetimeSeconds)
    .setJti(random.uuid())
    .sign(keys.privateKey);
}

function opened(ws: WebSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
      ws.terminate();
    };
    signal.addEventListener('abort', abort, { once: true });
    const settled = (): void => signal.removeEventListener('abort', abort);
    ws.once('open', () => {
      settled();
      resolve();
    });
    ws.once('error', (error) => {
      settled();
      reject(error);
    });
    ws.once('unexpected-response', (_request, response) => {
      readRefusal(response).then(
        (refusal) => {
          settled();
          reject(refusal);
        },
        (error: unknown) => {
          settled();
          reject(error as Error);
        },
      );
    });
  });
}

async function readRefusal(response: IncomingMessage): Promise<DialRefused> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxRefusalBytes) break;
    chunks.push(chunk);
  }
  return parseRefusal(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8'));
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
