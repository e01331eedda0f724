import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Settles when more may be written, or nothing ever again. A long stream waits often: what listens does not add up. */
export async function drained(stream: Writable): Promise<void> {
  if (stream.destroyed || !stream.writableNeedDrain) return;
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]);
  over.abort();
}
