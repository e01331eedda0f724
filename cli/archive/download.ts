import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Archive } from '../../shared/api/backups.ts';
import { CliError, usageError } from '../cli-error.ts';
import { archiveBytes } from './archive-bytes.ts';
import type { ArchiveBytesParts } from './archive-bytes.ts';

export interface Downloaded {
  file: string;
  /** Bytes that an earlier, broken download had left. */
  resumed_at: number;
  bytes: number;
}

export interface DownloadParts extends ArchiveBytesParts {
  archive: Archive;
}

/**
 * Stores an archive as a file that only its owner can read. Until its digest is right it has another name; a download that broke goes
 * on there. What is at `file` is never replaced.
 */
export async function download(parts: DownloadParts, file: string): Promise<Downloaded> {
  const { archive } = parts;
  if (await isThere(file, archive)) return { file, resumed_at: archive.size, bytes: archive.size };
  const partial = `${file}.${archive.sha256.slice(0, 12)}.partial`;
  const first = await fetchInto(partial, parts);
  if (first.isRight) return await finish(partial, file, first);
  // What an earlier download had left may be at fault: once more from the beginning.
  await rm(partial);
  const second = first.resumed_at > 0 ? await fetchInto(partial, parts) : first;
  if (second.isRight) return await finish(partial, file, second);
  await rm(partial, { force: true });
  throw new CliError(
    'failed',
    `what came of archive ${archive.id} does not have its digest ${archive.sha256}`,
    {
      code: 'digest_mismatch',
      hint: `Let the controller read it again: muster backup verify ${archive.id}`,
    },
  );
}

interface Fetched {
  isRight: boolean;
  resumed_at: number;
  bytes: number;
}

async function fetchInto(partial: string, parts: DownloadParts): Promise<Fetched> {
  const { archive } = parts;
  await using handle = await openOwn(partial);
  const hash = createHash('sha256');
  const resumed_at = await readSoFar(handle, { hash, size: archive.size });
  let at = resumed_at;
  for await (const chunk of archiveBytes(parts, at)) {
    hash.update(chunk);
    await writeAll(handle, chunk, at);
    at += chunk.length;
  }
  await handle.sync();
  return { isRight: hash.digest('hex') === archive.sha256, resumed_at, bytes: at };
}

/** A link in its place would be followed to somebody else's file. */
async function openOwn(path: string): Promise<FileHandle> {
  try {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    await handle.chmod(0o600);
    return handle;
  } catch (cause) {
    throw new CliError('usage', `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** Hashes what is there; more than the archive has is no part of it. */
async function readSoFar(handle: FileHandle, { hash, size }: { hash: Hash; size: number }): Promise<number> {
  const { size: found } = await handle.stat();
  if (found > size) {
    await handle.truncate(0);
    return 0;
  }
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  let at = 0;
  while (at < found) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, found - at), at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return at;
}

async function writeAll(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    const { bytesWritten } = await handle.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}

/** True when the whole archive is there already; anything else in its place is an error. */
async function isThere(file: string, { size, sha256 }: Archive): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new CliError('usage', `cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
  await using _ = handle;
  const stats = await handle.stat();
  if (!stats.isFile() || stats.size !== size) throw alreadyThere(file);
  const hash = createHash('sha256');
  for await (const chunk of handle.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
  if (hash.digest('hex') !== sha256) throw alreadyThere(file);
  return true;
}

async function finish(partial: string, file: string, { resumed_at, bytes }: Fetched): Promise<Downloaded> {
  try {
    // Unlike a rename, a link never replaces what somebody put there meanwhile.
    await link(partial, file);
    await rm(partial);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw alreadyThere(file);
    await rename(partial, file);
  }
  await using folder = await open(dirname(file), 'r');
  await folder.sync();
  return { file, resumed_at, bytes };
}

const alreadyThere = (file: string): CliError =>
  usageError(`${file} exists and is another file; remove it or name another`);
