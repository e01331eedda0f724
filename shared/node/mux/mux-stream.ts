import { Duplex } from 'node:stream';
import { type EndCode, maxDataBytes } from '../../tunnel/frame.ts';
import { ReceiveWindow, type WindowBudget } from './receive-window.ts';

/** Why a stream ended before its time; `code` is from the table of end codes. */
export class StreamReset extends Error {
  readonly code: EndCode;

  constructor(code: EndCode, message: string) {
    super(message);
    this.name = 'StreamReset';
    this.code = code;
  }
}

/** What a stream needs of its session. */
export interface StreamSession {
  readonly budget: WindowBudget;
  /** There is something to send, or credit to send it with. */
  wake(stream: MuxStream): void;
  sendCredit(stream: MuxStream, bytes: number): void;
  sendReset(stream: MuxStream, code: EndCode, message: string): void;
  /** Both directions are over. */
  closed(stream: MuxStream): void;
}

/** Bytes a writer may hand over before it is asked to wait. */
const writeBufferBytes = 128 * 1024;

/**
 * One stream of a session, as a Duplex with real half-close.
 *
 * - What the other side may send is bounded by the window; whoever sends more breaks the session.
 * - What this side holds is one written chunk and what Node buffers before it (`writeBufferBytes`).
 */
export class MuxStream extends Duplex {
  readonly id: number;
  /** What the opener asked for. */
  readonly request: Uint8Array;
  readonly #session: StreamSession;
  readonly #window: ReceiveWindow;
  #credit: number;
  #chunk: Buffer | undefined;
  #chunkDone: (() => void) | undefined;
  #finalDone: (() => void) | undefined;
  #endSent = false;
  #endReceived = false;
  #resetReceived = false;
  bytesReceived = 0;
  bytesSent = 0;

  constructor(id: number, request: Uint8Array, session: StreamSession) {
    super({
      allowHalfOpen: true,
      autoDestroy: true,
      readableHighWaterMark: maxDataBytes,
      writableHighWaterMark: writeBufferBytes,
    });
    this.id = id;
    this.request = request;
    this.#session = session;
    this.#window = new ReceiveWindow(session.budget);
    this.#credit = ReceiveWindow.initialBytes;
    // A lost session ends all streams at once; an owner that is not listening at that moment must not end the process.
    this.on('error', () => {});
  }

  /** Something can be sent now. */
  get isReady(): boolean {
    if (this.#endSent) return false;
    return (
      (this.#chunk !== undefined && this.#credit > 0) ||
      (this.#chunk === undefined && this.#finalDone !== undefined)
    );
  }

  /** The next bytes to send, at most `most`; `end` when the side is done. */
  takeTurn(most: number): { data: Buffer } | 'end' | undefined {
    const chunk = this.#chunk;
    if (chunk === undefined) return this.#takeEnd();
    const count = Math.min(most, this.#credit, chunk.length);
    if (count === 0) return undefined;
    this.#credit -= count;
    this.bytesSent += count;
    const data = count === chunk.length ? chunk : chunk.subarray(0, count);
    if (count < chunk.length) {
      this.#chunk = chunk.subarray(count);
    } else {
      this.#chunk = undefined;
      const done = this.#chunkDone;
      this.#chunkDone = undefined;
      done?.();
    }
    return { data };
  }

  #takeEnd(): 'end' | undefined {
    const done = this.#finalDone;
    if (done === undefined || this.#endSent) return undefined;
    this.#endSent = true;
    this.#finalDone = undefined;
    done();
    return 'end';
  }

  /** False when the peer sent more than it may. */
  receive(part: Uint8Array): boolean {
    if (this.#endReceived) return false;
    if (!this.#window.receive(part.length)) return false;
    this.bytesReceived += part.length;
    this.push(part);
    return true;
  }

  receiveEnd(): boolean {
    if (this.#endReceived) return false;
    this.#endReceived = true;
    if (!this.destroyed) this.push(null);
    return true;
  }

  receiveCredit(bytes: number): boolean {
    this.#credit += bytes;
    if (this.#credit > 0x7f_ff_ff_ff) return false;
    if (this.isReady) this.#session.wake(this);
    return true;
  }

  receiveReset(code: EndCode, message: string): void {
    this.#resetReceived = true;
    if (code === 'done') this.destroy();
    else this.destroy(new StreamReset(code, message));
  }

  /** Round trip of the session, for the growth of the window. Milliseconds. */
  measured(roundTripMs: number): void {
    this.#window.roundTripMs = roundTripMs;
  }

  /** Node calls this when the reader took something: everything it holds no more is room for the peer. */
  override _read(): void {
    const held = this.readableLength;
    const free = this.#window.consumed(held);
    if (free > 0) this.#giveBack(free);
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    if (chunk !== null && !this.#endReceived) this._read();
    return chunk;
  }

  #giveBack(bytes: number): void {
    if (!this.#endReceived && !this.#resetReceived) this.#session.sendCredit(this, bytes);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (chunk.length === 0) return done(); // nothing to take a turn with
    this.#chunk = chunk;
    this.#chunkDone = done;
    if (this.#credit > 0) this.#session.wake(this);
  }

  override _final(done: () => void): void {
    this.#finalDone = done;
    this.#session.wake(this);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#resetReceived && !(this.#endSent && this.#endReceived)) {
      const code = error instanceof StreamReset ? error.code : error ? 'internal' : 'done';
      this.#session.sendReset(this, code, error?.message ?? '');
    }
    this.#chunk = undefined;
    this.#window.release();
    this.#session.closed(this);
    const waiting = this.#chunkDone ?? this.#finalDone;
    this.#chunkDone = undefined;
    this.#finalDone = undefined;
    done(error);
    waiting?.();
  }
}
