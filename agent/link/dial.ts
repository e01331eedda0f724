import { WebSocket } from 'ws';
import { linkPath } from '../../shared/protocol/enrol.ts';
import { maxFrameBytes } from '../../shared/protocol/version.ts';
import { deviceToken, type DeviceTokenParts } from './device-token.ts';
import { type Dial, DialRefused } from './dial-refused.ts';
import { readRefusal } from './refusal.ts';
import { WsSocket } from './ws-socket.ts';

export interface DialParts extends DeviceTokenParts {
  /** Base URL of the controller. */
  url: string;
  handshakeTimeoutMs?: number;
}

/** Dials the controller over WebSocket, authenticated before the upgrade by a token that the device signs. */
export function wsDial(parts: DialParts): Dial {
  const { url, controllerClock, handshakeTimeoutMs = 20_000 } = parts;
  const target = new URL(linkPath, url);
  target.protocol = target.protocol.replace('http', 'ws');

  return async (signal) => {
    signal.throwIfAborted();
    const token = await deviceToken(parts);
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
