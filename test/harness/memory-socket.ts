import type { FrameListener, FrameSocket } from '../../shared/frame-socket.ts';

/** One end of a link in memory: frames arrive at the other end in order, each in a microtask of its own. */
export class MemorySocket implements FrameSocket {
  /** What `bufferedBytes` says; a test raises it to play a peer that takes nothing. */
  bufferedBytes = 0;
  peer: MemorySocket | undefined;
  isClosed = false;
  #listener: FrameListener | undefined;
  /** Arrived before anybody listened. */
  #early: ((listener: FrameListener) => void)[] = [];

  send(frame: string): void {
    this.#deliver((listener) => listener.frame(frame));
  }

  ping(): void {
    this.#deliver((listener) => listener.alive());
    // A living peer answers by itself.
    queueMicrotask(() => {
      if (!this.isClosed && this.peer?.answersPings) this.#listener?.alive();
    });
  }

  /** False plays a peer that is presumed dead. */
  answersPings = true;

  close(code: number, reason: string): void {
    if (this.isClosed) return;
    this.#deliver((listener) => listener.closed(code, reason), true);
    this.isClosed = true;
    queueMicrotask(() => this.#listener?.closed(code, reason));
  }

  terminate(): void {
    this.close(1006, 'terminated');
  }

  listen(listener: FrameListener): void {
    this.#listener = listener;
    for (const act of this.#early.splice(0)) queueMicrotask(() => act(listener));
  }

  #deliver(act: (listener: FrameListener) => void, isLast = false): void {
    const { peer } = this;
    if (this.isClosed || peer === undefined) return;
    queueMicrotask(() => {
      if (peer.isClosed) return;
      if (isLast) peer.isClosed = true;
      if (peer.#listener) act(peer.#listener);
      else peer.#early.push(act);
    });
  }
}

/** Two ends of one link. */
export function memorySocketPair(): [MemorySocket, MemorySocket] {
  const left = new MemorySocket();
  const right = new MemorySocket();
  left.peer = right;
  right.peer = left;
  return [left, right];
}
