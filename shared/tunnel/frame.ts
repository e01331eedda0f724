/**
 * Frames of a session: `type` (1 byte), `stream` (3 bytes), `length` (4 bytes), all big-endian, then `length` bytes.
 * Streams opened by the operator's side have odd numbers, by the device's side even ones; 0 is the session itself.
 */
export const frameHeaderBytes = 8;

export const frameTypes = {
  /** First frame of a stream; its payload says what is asked for (`OpenRequest`). Data may follow at once. */
  open: 1,
  data: 2,
  /** The receiver can take so many bytes more (4 bytes). */
  credit: 3,
  /** No more data comes from this side; the other direction stays open. */
  end: 4,
  /** The stream is over in both directions: code (2 bytes) and a sentence (UTF-8). */
  reset: 5,
  /** Eight bytes that come back in `pong`. */
  ping: 6,
  pong: 7,
  /** The session is over: code (2 bytes) and a sentence (UTF-8). */
  goAway: 8,
} as const;
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

/** Payload of anything but data is short; of data it is what one turn of a stream may send. */
export const maxDataBytes = 64 * 1024;
export const maxControlBytes = 16 * 1024;
export const maxStreamId = 0xff_ff_ff;

/** Why a stream or a session ended, in `reset` and `goAway`. */
export const endCodes = {
  done: 0,
  /** The peer broke the rules of this page. */
  protocol: 1,
  refused: 2,
  policy: 3,
  unreachable: 4,
  tooManyStreams: 5,
  idle: 6,
  limit: 7,
  closedByPerson: 8,
  peerLost: 9,
  internal: 10,
} as const;
export type EndCode = keyof typeof endCodes;

export const endCodeOf = (number: number): EndCode =>
  (Object.keys(endCodes) as EndCode[]).find((name) => endCodes[name] === number) ?? 'internal';

/** A header into eight new bytes. */
export function frameHeader(type: FrameType, stream: number, length: number): Uint8Array {
  const header = new Uint8Array(frameHeaderBytes);
  header[0] = type;
  header[1] = stream >>> 16;
  header[2] = stream >>> 8;
  header[3] = stream;
  header[4] = length >>> 24;
  header[5] = length >>> 16;
  header[6] = length >>> 8;
  header[7] = length;
  return header;
}

/** Payload of `reset` and `goAway`; the sentence is cut to fit. */
export function endPayload(code: EndCode, message: string): Uint8Array {
  const text = new TextEncoder().encode(message.slice(0, 1024));
  const payload = new Uint8Array(2 + text.length);
  payload[1] = endCodes[code];
  payload.set(text, 2);
  return payload;
}

export function readEnd(payload: Uint8Array): { code: EndCode; message: string } {
  const number = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
  return { code: endCodeOf(number), message: new TextDecoder().decode(payload.subarray(2)) };
}

export const creditPayload = (bytes: number): Uint8Array =>
  new Uint8Array([bytes >>> 24, bytes >>> 16, bytes >>> 8, bytes]);

export const readCredit = (payload: Uint8Array): number =>
  (payload[0] ?? 0) * 0x1_00_00_00 +
  (((payload[1] ?? 0) << 16) | ((payload[2] ?? 0) << 8) | (payload[3] ?? 0));
