import { createHash, type Hash } from 'node:crypto';
import type { BlobProof } from './blobs.ts';

/** So many uploads are followed at once; the one that began first is forgotten, and read once more when it is complete. */
const maxFollowed = 4_096;

interface Followed {
  hash: Hash;
  bytes: number;
}

/**
 * Digests of uploads, computed from the bytes while they are written: who completes an upload need not read all of it again.
 *
 * - A digest stands for a file from its first byte to `bytes`, all of them written. Whatever ends in another way than well is forgotten.
 */
export class UploadDigests {
  readonly #followed = new Map<string, Followed>();

  /** What to tell of the bytes behind `offset`; undefined when those before it were not seen. */
  follow(key: string, offset: number): { add(chunk: Uint8Array): void; keep(): void } | undefined {
    const before = this.#followed.get(key);
    this.#followed.delete(key);
    if (offset > 0 && before?.bytes !== offset) return undefined;
    const one = offset === 0 || before === undefined ? { hash: createHash('sha256'), bytes: 0 } : before;
    return {
      add: (chunk) => {
        one.hash.update(chunk);
        one.bytes += chunk.byteLength;
      },
      keep: () => this.#keep(key, one),
    };
  }

  /** Undefined when it is not known and the file has to be read. */
  proof(key: string, size: number): BlobProof | undefined {
    const one = this.#followed.get(key);
    return one?.bytes === size ? { size, sha256: one.hash.copy().digest('hex') } : undefined;
  }

  forget(key: string): void {
    this.#followed.delete(key);
  }

  #keep(key: string, one: Followed): void {
    this.#followed.set(key, one);
    const [first] = this.#followed.keys();
    if (this.#followed.size > maxFollowed && first !== undefined) this.#followed.delete(first);
  }
}
