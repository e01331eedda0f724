import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { closeReason } from '../../shared/close-reason.ts';
import type { FrameListener, FrameSocket } from '../../shared/frame-socket.ts';

const adapter = Symbol('adapter');
type Adapted = WebSocket & { [adapter]?: WsSocket };

/**
 * A ws socket as a `FrameSocket`. Its handlers are functions of the module and find the adapter through the socket: with tens of
 * thousands of idle links, a closure per event and link is what would fill the memory.
 */
export class WsSocket implements FrameSocket {
  readonly #ws: Adapted;
  /** What the WebSocket writes to. */
  readonly #stream: Duplex;
  #isCorked = false;
  /** Undefined before `listen` and after the close. */
  listener: FrameListener | undefined = undefined;

  constructor(ws: WebSocket, stream: Duplex) {
    this.#ws = ws;
    this.#stream = stream;
    this.#ws[adapter] = this;
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  send(frame: string): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    // Frames of one turn go out by one system call: an acknowledgement, a start and the next offers mostly come together.
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#stream.cork();
      setImmediate(uncork, this);
    }
    this.#ws.send(frame);
  }

  uncork(): void {
    this.#isCorked = false;
    this.#stream.uncork();
  }

  ping(): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.ping();
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, closeReason(reason));
  }

  terminate(): void {
    this.#ws.terminate();
  }

  listen(listener: FrameListener): void {
    this.listener = listener;
    this.#ws.on('message', onMessage);
    this.#ws.on('ping', onAlive);
    this.#ws.on('pong', onAlive);
    this.#ws.on('close', onClose);
    this.#ws.on('error', onError);
  }
}

function uncork(socket: WsSocket): void {
  socket.uncork();
}

const listenerOf = (ws: Adapted): FrameListener | undefined => ws[adapter]?.listener;

function onMessage(this: WebSocket, data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean): void {
  const listener = listenerOf(this);
  // Binary frames are not used on this link: what they hold is no message.
  listener?.frame(isBinary ? '' : (data as Buffer).toString());
}

function onAlive(this: WebSocket): void {
  listenerOf(this)?.alive();
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  const listener = listenerOf(this);
  const mine = (this as Adapted)[adapter];
  if (mine) mine.listener = undefined;
  listener?.closed(code, reason.toString());
}

/** Bad framing and broken connections: ws closes the socket by itself, and `close` tells the rest. */
function onError(): void {}
