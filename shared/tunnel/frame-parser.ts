import { type FrameType, frameHeaderBytes, frameTypes, maxControlBytes, maxDataBytes } from './frame.ts';

/** What a parser hands over, in the order of the wire. */
export interface FrameReceiver {
  /** A part of a data frame, as it came; a frame may come in several parts. */
  data(stream: number, part: Uint8Array): void;
  /** Any other frame, complete. */
  control(type: FrameType, stream: number, payload: Uint8Array): void;
}

/** The bytes are no frames of ours. */
export class FrameError extends Error {}

const known = new Set<number>(Object.values(frameTypes));
const lengths: Partial<Record<FrameType, number>> = {
  [frameTypes.credit]: 4,
  [frameTypes.end]: 0,
  [frameTypes.ping]: 8,
  [frameTypes.pong]: 8,
};

/** Cuts a byte stream into frames; holds at most a header or one control payload. Data is handed on without copying. */
export class FrameParser {
  readonly #receiver: FrameReceiver;
  readonly #header = new Uint8Array(frameHeaderBytes);
  #headerLength = 0;
  #type: FrameType = frameTypes.data;
  #stream = 0;
  #left = 0;
  #payload: Uint8Array | undefined;

  constructor(receiver: FrameReceiver) {
    this.#receiver = receiver;
  }

  /** Throws `FrameError` on anything that is not a frame; nothing may be pushed after that. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerLength < frameHeaderBytes) {
        at = this.#readHeader(chunk, at);
        if (this.#headerLength === frameHeaderBytes && this.#left === 0) this.#complete();
      } else {
        at = this.#readPayload(chunk, at);
      }
    }
  }

  #readHeader(chunk: Uint8Array, from: number): number {
    const count = Math.min(frameHeaderBytes - this.#headerLength, chunk.length - from);
    this.#header.set(chunk.subarray(from, from + count), this.#headerLength);
    this.#headerLength += count;
    if (this.#headerLength === frameHeaderBytes) this.#begin();
    return from + count;
  }

  #begin(): void {
    const [type = 0, s2 = 0, s1 = 0, s0 = 0, l3 = 0, l2 = 0, l1 = 0, l0 = 0] = this.#header;
    if (!known.has(type)) throw new FrameError(`unknown frame type ${type}`);
    this.#type = type as FrameType;
    this.#stream = (s2 << 16) | (s1 << 8) | s0;
    this.#left = l3 * 0x1_00_00_00 + ((l2 << 16) | (l1 << 8) | l0);
    const most = this.#type === frameTypes.data ? maxDataBytes : maxControlBytes;
    if (this.#left > most) throw new FrameError(`a frame of ${this.#left} bytes, expected at most ${most}`);
    const exact = lengths[this.#type];
    if (exact !== undefined && this.#left !== exact) {
      throw new FrameError(`a frame of type ${type} has ${this.#left} bytes, expected ${exact}`);
    }
    this.#payload = this.#type === frameTypes.data ? undefined : new Uint8Array(this.#left);
  }

  #readPayload(chunk: Uint8Array, from: number): number {
    const count = Math.min(this.#left, chunk.length - from);
    const part = chunk.subarray(from, from + count);
    this.#left -= count;
    if (this.#payload) {
      this.#payload.set(part, this.#payload.length - this.#left - count);
      if (this.#left === 0) this.#complete();
    } else {
      if (this.#left === 0) this.#headerLength = 0;
      this.#receiver.data(this.#stream, part);
    }
    return from + count;
  }

  #complete(): void {
    const payload = this.#payload ?? new Uint8Array(0);
    this.#headerLength = 0;
    this.#payload = undefined;
    if (this.#type !== frameTypes.data) this.#receiver.control(this.#type, this.#stream, payload);
  }
}
