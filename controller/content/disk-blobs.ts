import { createReadStream, createWriteStream } from 'node:fs';
import { link, mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Instant, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { youngGarbage } from '../../shared/node/young-garbage.ts';
import type { BlobSource, BlobStore, ByteRange } from './blobs.ts';

const temporaryFolder = 'tmp';
const readBytes = 256 * 1024;
const digestPattern = /^[0-9a-f]{64}$/;

/**
 * Blobs as files, `<folder>/ab/abcd…`: a temporary file is written whole, brought to the disk, gets its name, and then the folder is
 * brought to the disk. What a crash left in `tmp` is removed at the next opening.
 */
export class DiskBlobs implements BlobStore {
  readonly #folder: string;
  readonly #random: Random;
  readonly #bytesPassed = youngGarbage();

  private constructor(folder: string, random: Random) {
    this.#folder = folder;
    this.#random = random;
  }

  static async open(folder: string, random: Random): Promise<DiskBlobs> {
    await rm(join(folder, temporaryFolder), { recursive: true, force: true });
    await mkdir(join(folder, temporaryFolder), { recursive: true, mode: 0o700 });
    return new DiskBlobs(folder, random);
  }

  async put(sha256: string, source: BlobSource): Promise<void> {
    const path = this.#path(sha256);
    const size = 'file' in source ? source.size : source.bytes.length;
    // Another size can only be a file that was cut or written over: it is replaced.
    if ((await this.size(sha256)) === size) return;
    await makeFolder(dirname(path));
    const temporary = join(this.#folder, temporaryFolder, this.#random.uuid());
    try {
      await fill(temporary, source);
      await sync(temporary);
      await rename(temporary, path);
      await sync(dirname(path));
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async size(sha256: string): Promise<number | undefined> {
    const found = await stat(this.#path(sha256)).catch(absent);
    return found?.size;
  }

  async read(sha256: string, range?: ByteRange): Promise<Readable> {
    const file = await open(this.#path(sha256)).catch(absent);
    if (file === undefined)
      throw new AppError('not_found', `The bytes of blob ${sha256} are not on the disk`);
    const stream = file.createReadStream({ ...range, highWaterMark: readBytes });
    return Readable.from(this.#counted(stream), { objectMode: false, highWaterMark: readBytes });
  }

  async delete(sha256: string): Promise<void> {
    await rm(this.#path(sha256), { force: true });
  }

  async *list(): AsyncGenerator<{ sha256: string; size: number; storedAt: Instant }> {
    for await (const folder of await opendir(this.#folder)) {
      if (!folder.isDirectory() || folder.name.length !== 2) continue;
      for await (const { name } of await opendir(join(this.#folder, folder.name))) {
        if (!digestPattern.test(name)) continue;
        const found = await stat(join(this.#folder, folder.name, name)).catch(absent);
        if (found) yield { sha256: name, size: found.size, storedAt: Math.floor(found.mtimeMs) };
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async *#counted(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      yield chunk;
      this.#bytesPassed(chunk.length);
    }
  }

  #path(sha256: string): string {
    if (!digestPattern.test(sha256)) throw new Error(`not a digest: ${sha256}`);
    return join(this.#folder, sha256.slice(0, 2), sha256);
  }
}

/** A hard link where the file system can: bytes that were received once are not written twice. */
async function fill(temporary: string, source: BlobSource): Promise<void> {
  if ('file' in source) {
    const linked = await link(source.file, temporary).then(
      () => true,
      () => false,
    );
    if (linked) return;
  }
  const bytes = 'file' in source ? createReadStream(source.file) : Readable.from([source.bytes]);
  await pipeline(bytes, createWriteStream(temporary, { flags: 'wx', mode: 0o600 }));
}

async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { mode: 0o700 }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
  if (made) await sync(dirname(folder));
}

/** Brings a file, or the names in a folder, to the disk. */
async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
