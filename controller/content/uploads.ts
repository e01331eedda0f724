import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { youngGarbage } from '../../shared/node/young-garbage.ts';
import type { UploadName } from '../../shared/protocol/transfer.ts';
import type { Store } from '../store/store.ts';
import { type BlobProof, type Blobs, proofOf } from './blobs.ts';
import { atMost, isCut, TooLong } from './upload-body.ts';
import { UploadDigests } from './upload-digests.ts';

/** One thing that a task brings. */
export interface UploadSlot {
  code: string;
  name: UploadName;
  maxBytes: number;
}

export interface UploadsParts {
  folder: string;
  blobs: Blobs;
  store: Store;
  log: Logger;
  /** Uploads that are written at the same time; who finds no room comes again. */
  maxAtOnce?: number;
}

const defaultMaxAtOnce = 2_000;
const retryAfterMs = 2_000;
/** A request that brings so much sets the disk to work at once. */
const largeBytes = 4 * 1024 * 1024;
/** Memory that one upload may take while the disk is slow. */
const waitingBytes = 512 * 1024;
const partPattern = /^([0-9A-Za-z]{8})-([a-z]+)\.part$/;

export const uploadHolder = (code: string, name: UploadName): string => `${code}/${name}`;

/**
 * What devices bring, in files of its own until it is complete: `<folder>/CODE-NAME.part`.
 *
 * - What arrived before a connection broke stays; the length of the file is where the device goes on.
 * - One writer per file: a new request ends the one before, whose connection the device has given up.
 * - A file that became a blob is never written again.
 */
export class Uploads {
  readonly #parts: UploadsParts;
  readonly #writers = new Map<string, Writer>();
  readonly #digests = new UploadDigests();
  readonly #bytesPassed = youngGarbage();
  #syncing: { path: string; over: Promise<void> } | undefined;

  constructor(parts: UploadsParts) {
    this.#parts = parts;
  }

  /** Where the device goes on: the end of what arrived, or of all when it is complete. */
  async offset(slot: UploadSlot): Promise<number> {
    const arrived = await sizeOf(this.#path(slot));
    if (arrived !== undefined) return arrived;
    const [sha256] = await this.#completed(slot);
    return sha256 === undefined ? 0 : this.#parts.blobs.size(sha256);
  }

  /** Appends what a request carries and returns where the file ends now. Throws 409 `conflict` when the device is not where the file ends. */
  append(
    slot: UploadSlot,
    offset: number,
    body: { stream: Readable; bytes: number | undefined },
  ): Promise<number> {
    return this.#alone(slot, async (signal) => {
      await mkdir(this.#parts.folder, { recursive: true, mode: 0o700 });
      const path = this.#path(slot);
      const arrived = await sizeOf(path);
      // To go on where a complete upload ends, with something else, is to begin anew.
      if (arrived === undefined && offset > 0) await this.#letGo(slot);
      const end = arrived ?? 0;
      if (offset !== end) throw notThere(slot, offset, end);
      if (end + (body.bytes ?? 0) > slot.maxBytes) throw await this.#tooLarge(slot);

      const digest = this.#digests.follow(keyOf(slot), end);
      const file = createWriteStream(path, { flags: 'a', mode: 0o600, highWaterMark: waitingBytes });
      const closed = new Promise<void>((resolve) => file.once('close', () => resolve()));
      try {
        const seen = (chunk: Uint8Array): void => {
          digest?.add(chunk);
          this.#bytesPassed(chunk.length);
        };
        await pipeline(body.stream, atMost(slot.maxBytes - end, seen), file, { signal });
        digest?.keep();
        if (file.bytesWritten >= largeBytes) this.#syncAhead(slot, path);
      } catch (error) {
        if (error instanceof TooLong) throw await this.#tooLarge(slot);
        if (signal.aborted) throw takenOver(slot);
        throw isCut(error) ? cutOff(slot) : error;
      } finally {
        // What the system is still writing has its place before anybody looks where the file ends.
        await closed;
      }
      return end + file.bytesWritten;
    });
  }

  /** Makes a blob of what arrived, when it is what the device says it is; else it is thrown away. Repeating it is harmless. */
  async complete(slot: UploadSlot, claim: BlobProof): Promise<BlobProof> {
    await this.#writers.get(keyOf(slot))?.completed;
    return this.#alone(slot, () => this.#complete(slot, claim), true);
  }

  /** Lets the disk write while more arrives; one upload at a time, so that others find threads. */
  #syncAhead(slot: UploadSlot, path: string): void {
    this.#syncing ??= {
      path,
      over: this.#sync(slot, path).finally(() => {
        this.#syncing = undefined;
      }),
    };
  }

  async #sync({ code, name }: UploadSlot, path: string): Promise<void> {
    try {
      await using file = await open(path, 'r');
      await file.datasync();
    } catch (error) {
      this.#parts.log.error({ task: code, name, err: error }, 'an upload cannot be brought to the disk');
      // A failed write is told once, and the sync that makes a blob of the file would not hear of it: all has to come again.
      await rm(path, { force: true });
    }
  }

  /** Removes what tasks left that are over. */
  async sweep(signal?: AbortSignal): Promise<void> {
    const { folder, store, log } = this.#parts;
    const names = await readdir(folder).catch(() => []);
    for (const file of names) {
      if (signal?.aborted) return;
      const [, code = '', name] = partPattern.exec(file) ?? [];
      if (name === undefined || this.#writers.has(`${code}-${name}`)) continue;
      const task = await store.tasks.get(undefined, code);
      if (task?.status === 'IN_PROGRESS') continue;
      await rm(join(folder, file), { force: true });
      this.#digests.forget(`${code}-${name}`);
      log.info({ task: code, name }, 'an upload of a task that is over was removed');
    }
    await store.blobs.releaseEndedUploads();
  }

  async #complete(slot: UploadSlot, claim: BlobProof): Promise<BlobProof> {
    const { blobs } = this.#parts;
    const path = this.#path(slot);
    if ((await this.#completed(slot)).includes(claim.sha256)) {
      // The same was brought once more.
      await rm(path, { force: true });
      return { size: await blobs.size(claim.sha256), sha256: claim.sha256 };
    }
    await mkdir(this.#parts.folder, { recursive: true, mode: 0o700 });
    if (claim.size === 0) await writeFile(path, '', { flag: 'a', mode: 0o600 });
    if (this.#syncing?.path === path) await this.#syncing.over;
    const arrived = await sizeOf(path);
    if (arrived === undefined) await this.#letGo(slot);
    if ((arrived ?? 0) < claim.size) throw notThere(slot, claim.size, arrived ?? 0);

    const seen = this.#digests.proof(keyOf(slot), arrived ?? 0);
    const proof = seen ?? (await proofOf(createReadStream(path, { highWaterMark: 1024 * 1024 })));
    this.#digests.forget(keyOf(slot));
    if (proof.size !== claim.size || proof.sha256 !== claim.sha256) {
      await rm(path, { force: true });
      throw new AppError(
        'digest_mismatch',
        `${slot.name} of task ${slot.code} has ${proof.size} bytes and the digest ${proof.sha256}, expected ${claim.size} and ${claim.sha256}: it was thrown away`,
      );
    }
    await blobs.keepFile(proof, path, async (tables) => {
      const holder = uploadHolder(slot.code, slot.name);
      await tables.blobs.release('upload', [holder]);
      await blobs.hold(tables, [{ sha256: proof.sha256, kind: 'upload', holder }]);
    });
    await rm(path, { force: true });
    return proof;
  }

  #completed({ code, name }: UploadSlot): Promise<string[]> {
    return this.#parts.store.blobs.heldBy('upload', uploadHolder(code, name));
  }

  #letGo({ code, name }: UploadSlot): Promise<void> {
    return this.#parts.store.blobs.release('upload', [uploadHolder(code, name)]);
  }

  /** Ends whoever writes this file, waits for it, and works alone then. */
  async #alone<T>(
    slot: UploadSlot,
    work: (signal: AbortSignal) => Promise<T>,
    completes = false,
  ): Promise<T> {
    const key = keyOf(slot);
    for (let before = this.#writers.get(key); before; before = this.#writers.get(key)) {
      before.stop.abort();
      await before.ended;
    }
    if (this.#writers.size >= (this.#parts.maxAtOnce ?? defaultMaxAtOnce)) {
      throw new AppError('unavailable', 'Too many uploads at once: try again later', {
        detail: { retry_after_ms: retryAfterMs },
      });
    }
    const stop = new AbortController();
    const result = work(stop.signal);
    const ended = result.then(nothing, nothing);
    this.#writers.set(key, { stop, ended, ...(completes && { completed: ended }) });
    try {
      return await result;
    } finally {
      this.#writers.delete(key);
    }
  }

  async #tooLarge(slot: UploadSlot): Promise<AppError> {
    await rm(this.#path(slot), { force: true });
    return new AppError(
      'payload_too_large',
      `${slot.name} of task ${slot.code} is larger than ${slot.maxBytes} bytes, which is what the task allows`,
      { detail: { max_bytes: slot.maxBytes } },
    );
  }

  #path(slot: UploadSlot): string {
    return join(this.#parts.folder, `${keyOf(slot)}.part`);
  }
}

interface Writer {
  stop: AbortController;
  ended: Promise<void>;
  /** Somebody makes a blob of it. */
  completed?: Promise<void>;
}

const keyOf = ({ code, name }: UploadSlot): string => `${code}-${name}`;

const nothing = () => undefined;

const notThere = ({ code, name }: UploadSlot, offset: number, end: number): AppError =>
  new AppError('conflict', `${name} of task ${code} ends at ${end}, and not at ${offset}: go on from there`, {
    detail: { offset: end },
  });

const cutOff = ({ code, name }: UploadSlot): AppError =>
  new AppError(
    'bad_request',
    `The connection ended before the body: what came of ${name} of task ${code} is kept`,
  );

const takenOver = ({ code, name }: UploadSlot): AppError =>
  new AppError('conflict', `${name} of task ${code} is written by a newer request`);

/** A file that has a second name is a blob already, and nobody may write it any more: it counts as not there. */
async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (found.nlink > 1) {
    await rm(path, { force: true });
    return undefined;
  }
  return found.size;
}
