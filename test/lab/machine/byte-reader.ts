import type { Readable } from 'node:stream';

/** The next so many bytes; rejects when the stream ends before. */
export type ReadBytes = (count: number) => Promise<Buffer>;

/** Reads a stream of bytes in pieces of known lengths, one after the other. */
export function byteReader(stream: Readable): ReadBytes {
  const source = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let held: Buffer[] = [];
  let heldBytes = 0;
  return async (count) => {
    while (heldBytes < count) {
      const next = await source.next();
      if (next.done) throw new Error(`the stream ended ${count - heldBytes} bytes early`);
      held.push(next.value);
      heldBytes += next.value.length;
    }
    const all = Buffer.concat(held, heldBytes);
    held = [all.subarray(count)];
    heldBytes -= count;
    return all.subarray(0, count);
  };
}
