/**
 * One end of a link: ordered text frames, until it closes. `ws` implements it for real, the simulation in memory.
 * After `closed` nothing more is delivered, and `send` is ignored.
 */
export interface FrameSocket {
  /** Bytes given to `send` that the network has not taken yet. */
  readonly bufferedBytes: number;
  send(frame: string): void;
  /** Asks the peer for a sign of life, answered by `alive`. */
  ping(): void;
  /** A reason too long for a close frame is cut. */
  close(code: number, reason: string): void;
  /** Drops the connection without a handshake: the peer is presumed dead. */
  terminate(): void;
  /** Sets who is told; called once, by the owner, before anything can arrive. */
  listen(listener: FrameListener): void;
}

export interface FrameListener {
  frame(text: string): void;
  /** Any traffic that is not a frame: ping or pong. */
  alive(): void;
  closed(code: number, reason: string): void;
}
