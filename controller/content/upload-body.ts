import { Transform } from 'node:stream';

export class TooLong extends Error {}

/** Passes on so many bytes, tells `seen` of them, and fails at the first one more. */
export function atMost(bytes: number, seen: (chunk: Uint8Array) => void): Transform {
  let left = bytes;
  return new Transform({
    highWaterMark: 256 * 1024,
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      if (left < 0) return done(new TooLong());
      seen(chunk);
      done(null, chunk);
    },
  });
}

/** The other side ended the connection in the middle of the body. */
export const isCut = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE');
