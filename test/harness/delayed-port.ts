import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A port of loopback that leads to another one over a path of `oneWayMs` in each direction, with all the bandwidth there is: what a
 * connection has under way on it is bounded by its ends alone.
 */
export class DelayedPort implements Disposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async listen(targetPort: number, oneWayMs: number): Promise<DelayedPort> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const made = new DelayedPort(server);
    server.on('connection', (near: Socket) => {
      const far = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        made.#sockets.add(from);
        carry(from, to, oneWayMs);
        from.once('close', () => made.#sockets.delete(from));
      }
    });
    return made;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/** Timers of equal length fire in the order they were set: so do the bytes arrive. */
function carry(from: Socket, to: Socket, oneWayMs: number): void {
  from.on('data', (chunk: Buffer) => setTimeout(() => to.write(chunk), oneWayMs));
  from.on('end', () => setTimeout(() => to.end(), oneWayMs));
  from.on('error', () => setTimeout(() => to.destroy(), oneWayMs));
  from.on('close', () => setTimeout(() => to.destroySoon(), oneWayMs));
}
