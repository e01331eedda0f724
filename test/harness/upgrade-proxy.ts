import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/** What a proxy does with an upgrade that is not WebSocket. */
export type RawUpgrade = 'passes' | 'refused' | 'cut' | 'stripped';

/** A reverse proxy before a port of loopback that knows HTTP and WebSocket, and other upgrades only as told. */
export class UpgradeProxy implements Disposable {
  readonly url: string;
  /** Protocols that were asked for, in order. */
  readonly upgrades: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(server: Server, targetPort: number, raw: RawUpgrade) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('upgrade', (incoming, socket: Duplex, head: Buffer) => {
      const kind = incoming.headers.upgrade ?? '';
      this.upgrades.push(kind);
      const isRaw = kind.toLowerCase() !== 'websocket';
      if (isRaw && raw === 'cut') return socket.destroy();
      if (isRaw && raw === 'refused') {
        return socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>');
      }
      const headers = { ...incoming.headers };
      if (isRaw && raw === 'stripped') delete headers.upgrade;
      this.#pass({ path: incoming.url ?? '', headers, targetPort }, socket, head);
    });
    server.on('request', (incoming, response) => {
      const { method, url: path, headers } = incoming;
      const onward = request({ host: '127.0.0.1', port: targetPort, method, path, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      incoming.pipe(onward.on('error', () => response.destroy()));
    });
  }

  static async listen(targetPort: number, raw: RawUpgrade): Promise<UpgradeProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new UpgradeProxy(server, targetPort, raw);
  }

  #pass(
    {
      path,
      headers,
      targetPort,
    }: { path: string; headers: NodeJS.Dict<string | string[]>; targetPort: number },
    socket: Duplex,
    head: Buffer,
  ): void {
    const onward = request({ host: '127.0.0.1', port: targetPort, path, headers, agent: false });
    onward.on('error', () => socket.destroy());
    onward.on('response', (answer) => {
      socket.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\nConnection: close\r\n\r\n`);
      answer.pipe(socket);
    });
    onward.on('upgrade', (answer, far: Duplex, first: Buffer) => {
      const lines = answer.rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`));
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      for (const [from, to, early] of [
        [socket, far, head],
        [far, socket, first],
      ] as const) {
        this.#sockets.add(from);
        to.write(early);
        from.pipe(to);
        from.on('error', () => {}).once('close', () => to.destroy());
      }
    });
    onward.end();
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
