import { once } from 'node:events';
import { type IncomingMessage, type Server, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from './until.ts';

export type Direction = 'up' | 'down';
export type Frame = { type: string } & Record<string, unknown>;
type Matches = (frame: Frame) => boolean;

interface Hold {
  direction: Direction;
  matches: Matches;
  /** Set once a frame was caught: nothing of that direction passes any more. */
  closed: boolean;
  waiting: (() => void)[];
}

/** Long enough for whatever a test waits for. */
const holdMs = 60_000;

/**
 * Stands between agents and a controller and lets every frame pass, in order, until it is told to hold one: so a test can end either side
 * between any two frames. Holding one frame holds all that follow in its direction.
 */
export class FrameGate implements AsyncDisposable {
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #links = new Set<WebSocket>();
  /** The newest frames that arrived here, passed on or not. */
  readonly seen: { direction: Direction; frame: Frame }[] = [];
  #hold: Hold | undefined;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, answer) => {
      const onwards = request(this.#onwards(incoming), (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      });
      onwards.on('error', () => answer.destroy());
      incoming.pipe(onwards);
    });
    this.#server.on('upgrade', (incoming, socket, head) => this.#upgrade(incoming, socket, head));
  }

  static async open(target: string): Promise<FrameGate> {
    const gate = new FrameGate(target);
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    return gate;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Holds the next frame that matches; `caught` settles when it came, and fails when it does not. `release` lets it and all that waited pass. */
  hold(direction: Direction, matches: Matches): { caught: Promise<void>; release(): void } {
    const hold: Hold = { direction, matches, closed: false, waiting: [] };
    this.#hold = hold;
    const options = { deadlineMs: holdMs, last: () => this.#last() };
    const caught = until('such a frame', () => hold.closed, options).then(() => undefined);
    caught.catch(() => {}); // told to whoever waits for it
    return {
      caught,
      release: () => {
        if (this.#hold === hold) this.#hold = undefined;
        for (const pass of hold.waiting.splice(0)) pass();
      },
    };
  }

  /** Cuts every connection, without a goodbye. What was held is lost, as the network loses it. */
  cut(): void {
    this.#hold = undefined;
    for (const link of this.#links) link.terminate();
  }

  #last(): string {
    return this.seen
      .slice(-20)
      .map(({ direction, frame }) => `${direction} ${frame.type}`)
      .join(', ');
  }

  #onwards(incoming: IncomingMessage) {
    return {
      host: this.#target.hostname,
      port: this.#target.port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    };
  }

  #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    const upstream = new WebSocket(`ws://${this.#target.host}${incoming.url}`, {
      headers: { authorization: incoming.headers.authorization ?? '' },
      perMessageDeflate: false,
    });
    upstream.on('error', () => socket.destroy());
    upstream.on('unexpected-response', (_request, response) => {
      const headers = Object.entries(response.headers).map(([name, value]) => `${name}: ${String(value)}`);
      socket.write(
        `HTTP/1.1 ${response.statusCode} ${response.statusMessage}\r\n${headers.join('\r\n')}\r\n\r\n`,
      );
      response.pipe(socket);
    });
    upstream.on('open', () => {
      this.#sockets.handleUpgrade(incoming, socket, head, (downstream) => this.#join(downstream, upstream));
    });
  }

  #join(downstream: WebSocket, upstream: WebSocket): void {
    this.#links.add(downstream).add(upstream);
    this.#forward('up', downstream, upstream);
    this.#forward('down', upstream, downstream);
  }

  #forward(direction: Direction, from: WebSocket, to: WebSocket): void {
    from.on('message', (data) => {
      const text = (data as Buffer).toString();
      const pass = () => to.send(text);
      const hold = this.#hold;
      const frame = JSON.parse(text) as Frame;
      this.seen.push({ direction, frame });
      if (this.seen.length > 1000) this.seen.shift();
      if (hold?.direction !== direction) return pass();
      if (!hold.closed && hold.matches(frame)) {
        hold.closed = true;
      }
      if (hold.closed) hold.waiting.push(pass);
      else pass();
    });
    from.on('error', () => {});
    from.on('close', (code, reason) => {
      this.#links.delete(from);
      if (code === 1005 || code === 1006) to.terminate();
      else to.close(code, reason);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
