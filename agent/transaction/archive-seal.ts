import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TaskError } from '../../shared/errors.ts';
import { ageEncrypt } from '../../shared/node/age.ts';
import { compress } from './archive-compress.ts';
import { isFull, syncFolder } from './linux/workspace-durable.ts';

/** A file that waits to be uploaded. */
export interface SealedFile {
  path: string;
  size: number;
  sha256: string;
}

export interface SealOptions {
  /** age recipients: each of them alone can read it. */
  recipients: readonly string[];
  path: string;
  /** Of the content; what it comes to is never much more. */
  plainBytes: number;
  signal: AbortSignal;
}

/** Room that is left to others. */
const spareBytes = 16 * 1024 * 1024;
const batchBytes = 4 * 1024 * 1024;

/** Compresses and encrypts on the way to the disk: nothing of it lies there in plain, and nothing of it as a whole in memory. */
export async function sealToFile(
  plain: AsyncIterable<Uint8Array>,
  options: SealOptions,
): Promise<SealedFile> {
  await requireRoom(dirname(options.path), options.plainBytes);
  const draft = `${options.path}.new`;
  try {
    const written = await writeSealed(plain, draft, options);
    await rename(draft, options.path);
    await syncFolder(dirname(options.path));
    return { path: options.path, ...written };
  } catch (error) {
    await rm(draft, { force: true });
    options.signal.throwIfAborted();
    if (!isFull(error)) throw error;
    throw new TaskError('disk_full', `There is no room for ${options.path}`, { cause: error });
  }
}

async function writeSealed(
  plain: AsyncIterable<Uint8Array>,
  draft: string,
  { recipients, signal }: SealOptions,
): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  await using handle = await open(draft, 'w', 0o600);
  let batch: Uint8Array[] = [];
  let waiting = 0;
  let writing = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing; // one batch is on its way while the next is made
    const full = batch;
    batch = [];
    waiting = 0;
    writing = writeAll(handle, full);
    writing.catch(() => undefined); // told at the next flush
  };
  for await (const chunk of ageEncrypt(compress(plain), recipients)) {
    signal.throwIfAborted();
    hash.update(chunk);
    size += chunk.length;
    batch.push(chunk);
    waiting += chunk.length;
    if (waiting >= batchBytes) await flush();
  }
  await flush();
  await writing;
  await handle.sync();
  return { size, sha256: hash.digest('hex') };
}

async function writeAll(handle: FileHandle, chunks: Uint8Array[]): Promise<void> {
  const expected = chunks.reduce((sum, { length }) => sum + length, 0);
  const { bytesWritten } = await handle.writev(chunks);
  if (bytesWritten === expected) return;
  await handle.writeFile(Buffer.concat(chunks).subarray(bytesWritten));
}

async function requireRoom(folder: string, plainBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const needed = plainBytes + spareBytes;
  if (bavail * bsize >= needed) return;
  throw new TaskError(
    'disk_full',
    `${folder} has ${bavail * bsize} bytes left, and up to ${needed} are needed: make room, or exclude files`,
  );
}
