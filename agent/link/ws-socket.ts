import type { RawData, WebSocket } from 'ws';
import { closeReason } from '../../shared/close-reason.ts';
import type { FrameListener, FrameSocket } from '../../shared/frame-socket.ts';
import { closeCodes } from '../../shared/protocol/version.ts';

/** A WebSocket as a frame socket. What arrives before `listen` is kept, in order. */
export class WsSocket implements FrameSocket {
  readonly #ws: WebSocket;
  #listener: FrameListener | undefined;
  #early: ((listener: FrameListener) => void)[] = [];
  #closed = false;

  constructor(ws: WebSocket) {
    this.#ws = ws;
    ws.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) this.close(closeCodes.badFrame, 'binary frame on the control link');
      else this.#tell((listener) => listener.frame((data as Buffer).toString('utf8')));
    });
    ws.on('ping', () => this.#tell((listener) => listener.alive()));
    ws.on('pong', () => this.#tell((listener) => listener.alive()));
    // 'close' follows every error and is what counts.
    ws.on('error', () => {});
    ws.on('close', (code, reason) => {
      this.#tell((listener) => listener.closed(code, reason.toString('utf8')));
      this.#closed = true;
    });
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  send(frame: string): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(frame, () => {});
  }

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping(undefined, undefined, () => {});
  }

  close(code: number, reason: string): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.close(code, closeReason(reason));
    else this.#ws.terminate();
  }

  terminate(): void {
    this.#ws.terminate();
  }

  listen(listener: FrameListener): void {
    this.#listener = listener;
    const early = this.#early;
    this.#early = [];
    for (const tell of early) tell(listener);
  }

  #tell(event: (listener: FrameListener) => void): void {
    if (this.#closed) return;
    if (this.#listener) event(this.#listener);
    else this.#early.push(event);
  }
}
