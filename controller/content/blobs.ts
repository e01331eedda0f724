import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Clock, Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { BlobRef } from '../store/blobs.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { SharedCommits } from './shared-commits.ts';

/** First and last byte, as in a `Range` header; without `end` up to the last there is. */
export interface ByteRange {
  start: number;
  end?: number;
}

/** What a blob is made of: a file that is not written any more (the store may link it), or bytes. */
export type BlobSource = { file: string; size: number } | { bytes: Uint8Array };

/**
 * Where bytes lie, each under its SHA-256. Whoever puts something has computed the digest.
 *
 * - Create-only: what lies under a digest is never replaced by a put of the same size.
 * - A put is over when the bytes would survive a power cut.
 */
export interface BlobStore {
  put(sha256: string, source: BlobSource): Promise<void>;
  /** Size of what lies there; undefined when nothing does. */
  size(sha256: string): Promise<number | undefined>;
  /** Throws `AppError('not_found')` when nothing lies there. */
  read(sha256: string, range?: ByteRange): Promise<Readable>;
  /** Deleting what is not there is no error. */
  delete(sha256: string): Promise<void>;
  list(): AsyncIterable<{ sha256: string; size: number; storedAt: Instant }>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface BlobsParts {
  bytes: BlobStore;
  store: Store;
  commits: SharedCommits;
  clock: Clock;
}

/** What lies in the store under a digest, as it was read just now. */
export interface BlobProof {
  size: number;
  sha256: string;
}

/** How long somebody waits for the deletion of a blob that is to be stored again. */
const deletionWaitMs = 250;
const deletionWaits = 40;

/** Bytes with their rows in the store. What is kept stays a day; for longer somebody has to `hold` it. */
export class Blobs {
  readonly #parts: BlobsParts;

  constructor(parts: BlobsParts) {
    this.#parts = parts;
  }

  /** Keeps a text or bytes and returns the digest. */
  async keep(content: string | Uint8Array): Promise<string> {
    const { store, clock } = this.#parts;
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (!(await store.blobs.touch(sha256, clock.now()))) await this.#put(sha256, bytes.length, { bytes });
    return sha256;
  }

  /**
   * Keeps a file whose digest was computed; `together` is written in the same transaction. The store may go on with the same file: it is
   * to be deleted, and not written any more.
   */
  keepFile(
    { sha256, size }: BlobProof,
    file: string,
    together: (tables: StoreTables) => Promise<void>,
  ): Promise<void> {
    return this.#put(sha256, size, { file, size }, together);
  }

  /** Holds blobs for as long as their holder exists; part of the holder's transaction. */
  hold(tables: StoreTables, refs: BlobRef[]): Promise<void> {
    return tables.blobs.hold(refs, this.#parts.clock.now());
  }

  /** Throws `not_found` when there is no such blob, and `digest_mismatch` when its bytes are not as many as were stored. */
  async open(sha256: string, range?: ByteRange): Promise<{ size: number; stream: Readable }> {
    const size = await this.size(sha256);
    const found = await this.#parts.bytes.size(sha256);
    if (found !== size) {
      throw new AppError(
        'digest_mismatch',
        found === undefined
          ? `Blob ${sha256} is lost: its ${size} bytes are not in the store`
          : `Blob ${sha256} is damaged: it has ${found} bytes, expected ${size}`,
      );
    }
    return { size, stream: await this.#parts.bytes.read(sha256, range) };
  }

  /** Whether its bytes are there, as many as were stored; they are not read. */
  async holdsAll(sha256: string): Promise<boolean> {
    const row = await this.#parts.store.blobs.get(sha256);
    return row !== undefined && (await this.#parts.bytes.size(sha256)) === row.size;
  }

  async size(sha256: string): Promise<number> {
    const row = await this.#parts.store.blobs.get(sha256);
    if (row === undefined) throw new AppError('not_found', `Blob ${sha256} does not exist`);
    return row.size;
  }

  /** A blob that is small enough to be looked at as a whole. */
  async text(sha256: string, maxBytes: number): Promise<string> {
    const size = await this.size(sha256);
    if (size > maxBytes) {
      throw new AppError(
        'payload_too_large',
        `Blob ${sha256} has ${size} bytes, and at most ${maxBytes} can be looked at`,
      );
    }
    const { stream } = await this.open(sha256);
    return Buffer.concat(await stream.toArray()).toString();
  }

  /** Reads all of it; undefined when nothing lies there. */
  async prove(sha256: string): Promise<BlobProof | undefined> {
    const { bytes } = this.#parts;
    if ((await bytes.size(sha256)) === undefined) return undefined;
    return proofOf(await bytes.read(sha256));
  }

  /** Once its row is fresh a blob is not deleted any more; what a deletion took just before that is put again. */
  async #put(
    sha256: string,
    size: number,
    source: BlobSource,
    together?: (tables: StoreTables) => Promise<void>,
  ): Promise<void> {
    const { bytes, commits, clock } = this.#parts;
    for (let wait = 0; wait < deletionWaits; wait += 1) {
      await bytes.put(sha256, source);
      const noted = await commits.run(async (tables) => {
        const isNoted = await tables.blobs.note({ sha256, size }, clock.now());
        if (isNoted) await together?.(tables);
        return isNoted;
      });
      if (noted && (await bytes.size(sha256)) === size) return;
      await clock.sleep(deletionWaitMs);
    }
    throw new AppError('unavailable', `Blob ${sha256} is being deleted: try again later`);
  }
}

/** Size and digest of what a stream yields. */
export async function proofOf(stream: AsyncIterable<Uint8Array>): Promise<BlobProof> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of stream) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, sha256: hash.digest('hex') };
}
