import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';

/**
 * Connections that never carried a request. Closing a server ends those that are idle between requests, but waits a minute for these,
 * which browsers and HTTP clients open in advance.
 */
export class UnusedSockets {
  readonly #sockets = new Set<Socket>();

  constructor(server: Server) {
    // Under TLS a request carries the socket of the session, which appears when the handshake is over.
    const opened = server instanceof TlsServer ? 'secureConnection' : 'connection';
    server.on(opened, (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', ({ socket }: IncomingMessage) => this.#sockets.delete(socket));
    server.on('upgrade', ({ socket }: IncomingMessage) => this.#sockets.delete(socket));
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
