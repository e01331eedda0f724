import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { type SeededRandom, seededRandom } from '../../simulation/random.ts';

/** What becomes, in a power cut, of writes that were not flushed: all lost, all kept, or a part of them as the seed decides. */
export type WriteCache = 'lose' | 'keep' | { tear: string };

/** How many blocks of the write cache went which way. */
export interface CutAccount {
  kept: number;
  torn: number;
  lost: number;
}

const blockBytes = 4096;
const sectorBytes = 512;

/**
 * A disk with a volatile write cache: what was written since the last flush lives in memory only, as on a real disk
 * and unlike in an image file, which outlives the process that writes it.
 *
 * - Whatever was flushed, or written as durable, is in the file.
 * - `lose` leaves exactly that; `keep` leaves exactly what was written.
 * - `tear` leaves each sector as one or the other says; blocks are kept or lost whole, a few in their first sectors only.
 * - The cache is bounded: above `maxCached` blocks the oldest ones reach the file unasked, as a real disk does it.
 */
export class VolatileDisk implements Disposable {
  readonly size: number;
  readonly #file: number;
  readonly #maxCached: number;
  /** Block number to its newest content; the longest unchanged first. */
  readonly #cache = new Map<number, Buffer>();

  constructor(path: string, { maxCached = 32_768 }: { maxCached?: number } = {}) {
    this.#file = openSync(path, 'r+');
    this.size = fstatSync(this.#file).size;
    this.#maxCached = maxCached;
  }

  read(offset: number, length: number): Buffer {
    const bytes = this.#durable(offset, length);
    for (const { block, from, to, at } of pieces(offset, length)) {
      this.#cache.get(block)?.copy(bytes, at, from, to);
    }
    return bytes;
  }

  /** `durable` asks for these bytes, and no others, to be safe from a power cut when it returns. */
  write(offset: number, bytes: Buffer, { durable = false }: { durable?: boolean } = {}): void {
    if (durable) writeSync(this.#file, bytes, 0, bytes.length, offset);
    for (const { block, from, to, at } of pieces(offset, bytes.length)) {
      const known = this.#cache.get(block);
      if (durable && !known) continue;
      const content = known ?? this.#durable(block * blockBytes, blockBytes);
      bytes.copy(content, from, at, at + to - from);
      this.#cache.delete(block);
      this.#cache.set(block, content);
    }
    for (const [block, content] of this.#cache) {
      if (this.#cache.size <= this.#maxCached) break;
      this.#store(this.#file, block, content);
      this.#cache.delete(block);
    }
  }

  flush(): void {
    this.cut('keep');
  }

  /** The power goes. */
  cut(cache: WriteCache): CutAccount {
    const account = this.#leave(cache, this.#file);
    this.#cache.clear();
    return account;
  }

  /** Writes to a copy of the file what a power cut would leave right now; the disk itself goes on. */
  cutInto(copy: string, cache: WriteCache): CutAccount {
    const file = openSync(copy, 'r+');
    try {
      return this.#leave(cache, file);
    } finally {
      closeSync(file);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #leave(cache: WriteCache, file: number): CutAccount {
    const account = { kept: 0, torn: 0, lost: 0 };
    const random = typeof cache === 'object' ? seededRandom(cache.tear) : undefined;
    for (const [block, content] of this.#cache) {
      const fate = fateOf(cache, random);
      account[fate] += 1;
      if (fate === 'kept') this.#store(file, block, content);
      if (fate === 'torn') {
        const sectors = random?.integer(1, blockBytes / sectorBytes - 1) ?? 1;
        this.#store(file, block, content.subarray(0, sectors * sectorBytes));
      }
    }
    return account;
  }

  #durable(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    readSync(this.#file, bytes, 0, length, offset);
    return bytes;
  }

  #store(file: number, block: number, content: Buffer): void {
    writeSync(file, content, 0, content.length, block * blockBytes);
  }
}

function fateOf(cache: WriteCache, random: SeededRandom | undefined): keyof CutAccount {
  if (cache === 'keep') return 'kept';
  return random?.weighted({ kept: 9, torn: 2, lost: 9 }) ?? 'lost';
}

/** The blocks that a range touches: bytes `from` to `to` of each, which lie at `at` in the range. */
function* pieces(offset: number, length: number) {
  for (let at = 0; at < length; ) {
    const block = Math.floor((offset + at) / blockBytes);
    const from = (offset + at) % blockBytes;
    const to = Math.min(blockBytes, from + length - at);
    yield { block, from, to, at };
    at += to - from;
  }
}
