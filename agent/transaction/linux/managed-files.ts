import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskError } from '../../../shared/errors.ts';
import { FilePath } from '../../../shared/manifest.ts';
import type { FileState } from '../machine.ts';
import { AccountNames } from './managed-files-owner.ts';
import { isMissing } from './workspace-durable.ts';

export interface ListLimits {
  maxFiles: number;
  /** Of each file. */
  maxBytes: number;
}

/** What a file is now, as numbers. */
export interface RawFileState {
  path: string;
  /** Permission bits, octal without a leading zero. */
  mode: string;
  uid: number;
  gid: number;
  size: number;
  sha256: string;
}

/** Existing files that match the patterns, sorted by path. `*` stands for anything within one name, but not for a leading dot. */
export async function listManagedFiles(globs: string[], limits: ListLimits): Promise<FileState[]> {
  const paths = new Set<string>();
  for (const glob of globs) {
    for await (const path of matching('/', glob.split('/').slice(1))) {
      paths.add(path);
      if (paths.size > limits.maxFiles) {
        throw new TaskError('too_many_files', `More than ${limits.maxFiles} files match ${globs.join(' ')}`);
      }
    }
  }
  const names = await AccountNames.load();
  const files: FileState[] = [];
  for (const path of [...paths].sort()) {
    const file = await fileState(path, limits.maxBytes);
    if (file) files.push(named(file, names));
  }
  return files;
}

/** What is at a path now, read consistently; undefined when nothing is there. Anything but a file is an error `not_a_file`. */
export async function fileState(path: string, maxBytes = Infinity): Promise<RawFileState | undefined> {
  for (let attempt = 1; attempt <= 3; attempt++) {
    const hash = createHash('sha256');
    try {
      const stats = await readUnchanged(path, maxBytes, (chunk) => void hash.update(chunk));
      if (!stats) continue;
      const mode = (Number(stats.mode) & 0o7777).toString(8);
      const [uid, gid, size] = [Number(stats.uid), Number(stats.gid), Number(stats.size)];
      return { path, mode, uid, gid, size, sha256: hash.digest('hex') };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
  throw unstable(path);
}

/** Bytes of a file. Ends with an error `unstable` when it changed meanwhile: what came before must not be used then. */
export async function* readManagedFile(path: string): AsyncGenerator<Uint8Array> {
  await using handle = await openFile(path);
  const before = await handle.stat({ bigint: true });
  for await (const chunk of chunksOf(handle)) yield chunk;
  if (!(await isUnchanged(handle, path, before))) throw unstable(path);
}

async function readUnchanged(
  path: string,
  maxBytes: number,
  take: (chunk: Uint8Array) => void,
): Promise<BigIntStats | undefined> {
  await using handle = await openFile(path);
  const before = await handle.stat({ bigint: true });
  let size = 0;
  for await (const chunk of chunksOf(handle)) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new TaskError(
        'file_too_large',
        `${path} is larger than the ${maxBytes} bytes that its profile allows`,
      );
    }
    take(chunk);
  }
  return (await isUnchanged(handle, path, before)) ? before : undefined;
}

/** Opens what is really a file; neither follows a link nor waits at a pipe. */
async function openFile(path: string): Promise<FileHandle> {
  const stats = await lstat(path);
  if (!stats.isFile()) throw notAFile(path);
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    throw notAFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ELOOP') throw notAFile(path);
    throw error;
  }
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(65_536), 0, 65_536, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

async function isUnchanged(handle: FileHandle, path: string, before: BigIntStats): Promise<boolean> {
  const after = await handle.stat({ bigint: true });
  const there = await lstat(path, { bigint: true }).catch(() => undefined);
  return (
    there?.ino === before.ino &&
    after.size === before.size &&
    after.mtimeNs === before.mtimeNs &&
    after.ctimeNs === before.ctimeNs
  );
}

async function* matching(folder: string, [name, ...rest]: string[]): AsyncGenerator<string> {
  if (name === undefined) return;
  const found = name.includes('*') ? await namesIn(folder, name) : [name];
  for (const one of found) {
    const path = join(folder, one);
    if (rest.length > 0) {
      yield* matching(path, rest);
    } else if (await isThere(path)) {
      if (!FilePath.safeParse(path).success) throw notAFile(JSON.stringify(path));
      yield path;
    }
  }
}

async function namesIn(folder: string, pattern: string): Promise<string[]> {
  const escaped = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  const expression = new RegExp(`^${pattern.startsWith('*') ? '(?!\\.)' : ''}${escaped.join('.*')}$`, 's');
  try {
    return (await readdir(folder)).filter((name) => expression.test(name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

const named = (file: RawFileState, names: AccountNames): FileState => ({
  path: file.path,
  mode: file.mode.padStart(4, '0'),
  owner: names.nameOf('passwd', file.uid),
  group: names.nameOf('group', file.gid),
  size: file.size,
  sha256: file.sha256,
});

const notAFile = (path: string): TaskError =>
  new TaskError('not_a_file', `${path} is a link, a device, a pipe or a folder; expected a file`);

const unstable = (path: string): TaskError =>
  new TaskError('unstable', `${path} changed while it was read; expected a file that nobody writes`);
