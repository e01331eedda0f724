import type { Duplex } from 'node:stream';
import { youngGarbage } from '../../shared/node/young-garbage.ts';

/** Bytes as they went over the wire, frames and all. */
export interface Spliced {
  /** Towards the device. */
  bytesIn: number;
  bytesOut: number;
}

/** What one side said last has so long to reach the other after it is gone. */
const lingerMs = 5_000;

/**
 * Joins two connections until both are over.
 *
 * - Bytes are handed on as they come; a side that does not read stops the other, so nothing piles up here.
 * - The end of either side, by whatever cause, is the end of both.
 */
export function splice(operator: Duplex, device: Duplex): { totals: Spliced; ended: Promise<void> } {
  const totals: Spliced = { bytesIn: 0, bytesOut: 0 };
  const bytesPassed = youngGarbage();
  const closed = [operator, device].map(
    (side) => new Promise<void>((resolve) => side.once('close', resolve)),
  );
  flow(operator, device, (bytes) => {
    totals.bytesIn += bytes;
    bytesPassed(bytes);
  });
  flow(device, operator, (bytes) => {
    totals.bytesOut += bytes;
    bytesPassed(bytes);
  });
  return { totals, ended: Promise.all(closed).then(() => undefined) };
}

function flow(from: Duplex, to: Duplex, count: (bytes: number) => void): void {
  let isOver = false;
  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    to.end();
    const destroy = setTimeout(() => to.destroy(), lingerMs);
    to.once('close', () => clearTimeout(destroy));
  };
  from.on('data', (chunk: Buffer) => {
    count(chunk.length);
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', finish);
  from.on('close', finish);
  from.on('error', () => from.destroy());
}
