import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** What comes is read at once, and bounded by its reader's credit; beyond this somebody sends what nobody asked for. */
const maxUnreadBytes = 1024 * 1024;

/** The binary messages of a connection as a stream of bytes, beside its typed messages. It ends with the connection. */
export class ChannelBytes extends Duplex {
  readonly #ws: WebSocket;

  constructor(ws: WebSocket) {
    super({ allowHalfOpen: true });
    this.#ws = ws;
    this.on('error', () => {}); // the connection is over, and its owner is told by the channel
  }

  /** False when nobody takes them. */
  receive(part: Buffer): boolean {
    if (this.destroyed || this.readableEnded) return true; // sent before the other end knew
    this.push(part);
    return this.readableLength <= maxUnreadBytes;
  }

  override _read(): void {}

  override _write(part: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#ws.send(part, done);
  }

  override _writev(parts: { chunk: Buffer }[], done: (error?: Error) => void): void {
    const last = parts.at(-1);
    for (const part of parts) this.#ws.send(part.chunk, part === last ? done : undefined);
  }
}
