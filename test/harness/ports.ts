import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A server on a free port of loopback that keeps a connection's other half open; closes all of it when disposed of. */
export class LoopbackServer implements Disposable {
  readonly port: number;
  readonly sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async listen(onSocket: (socket: Socket) => void): Promise<LoopbackServer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const made = new LoopbackServer(server);
    server.on('connection', (socket: Socket) => {
      made.sockets.add(socket);
      socket.on('error', () => {}).once('close', () => made.sockets.delete(socket));
      onSocket(socket);
    });
    return made;
  }

  [Symbol.dispose](): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }
}

/** A connection to a port of loopback that ends its halves one by one. */
export async function connectTo(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  return socket;
}
