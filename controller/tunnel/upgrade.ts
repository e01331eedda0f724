import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocketServer } from 'ws';
import type { AppError } from '../../shared/errors.ts';
import { sessionUpgrade } from '../../shared/protocol/session.ts';
import type { Arrival } from './rendezvous.ts';

/** Connections through which a session runs are asked so often whether the other host is still there. */
const keepAliveMs = 30_000;

export interface HeldUpgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  refuse: (error: AppError) => void;
}

/** An upgrade that is answered later: raw bytes, or WebSocket when the caller asked for that. */
export function holdUpgrade({ request, socket, head, refuse }: HeldUpgrade, wss: WebSocketServer): Arrival {
  if (socket instanceof Socket) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    socket.setTimeout(0);
  }
  const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
  return {
    refuse,
    onGone: (callback) => socket.once('close', callback),
    accept: () =>
      isWebSocket
        ? new Promise((resolve) => {
            wss.handleUpgrade(request, socket, head, (ws) =>
              resolve(createWebSocketStream(ws, { allowHalfOpen: false })),
            );
          })
        : acceptRaw(socket, head),
  };
}

async function acceptRaw(socket: Duplex, head: Buffer): Promise<Duplex> {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${sessionUpgrade}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return socket;
}
