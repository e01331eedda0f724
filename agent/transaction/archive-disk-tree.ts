import { createHash } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { matchesGlob } from '../../shared/glob.ts';
import {
  EntryChanged,
  type FileTree,
  type FindOptions,
  type Skipped,
  type TreeEntry,
} from './archive-tree.ts';
import { AccountNames } from './linux/managed-files-owner.ts';
import { isMissing } from './linux/workspace-durable.ts';

/** Every read waits for another thread, which on a busy machine takes longer than the reading: so they are few. */
const readBytes = 4 * 1024 * 1024;

/** The files of this machine. */
export class DiskTree implements FileTree {
  async *find(pattern: string, options: FindOptions): AsyncGenerator<TreeEntry | Skipped> {
    const names = await AccountNames.load();
    for await (const path of matching(
      '/',
      pattern.split('/').filter((name) => name !== ''),
    )) {
      const found = await look(path);
      if (found) yield* below(path, found, { ...options, names, device: found.dev });
    }
  }

  async digest(entry: TreeEntry, signal: AbortSignal): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of this.read(entry)) {
      signal.throwIfAborted();
      hash.update(chunk);
    }
    return hash.digest('hex');
  }

  async *read(entry: TreeEntry): AsyncGenerator<Uint8Array> {
    if (entry.size === 0) return;
    await using handle = await openSame(entry);
    const [first, second] = buffersFor(entry.size);
    let left = entry.size;
    // The next piece is on its way from the disk while this one is worked with.
    let reading = handle.read(first, 0, first.length, null);
    for (let current = second; ; current = current === first ? second : first) {
      const { bytesRead, buffer } = await reading;
      left -= bytesRead;
      if (bytesRead === 0 || left < 0) throw new EntryChanged(entry.path);
      if (left > 0) {
        reading = handle.read(current, 0, current.length, null);
        reading.catch(() => undefined); // told when it is awaited
      }
      yield buffer.subarray(0, bytesRead);
      if (left === 0) break;
    }
    if (stampOf(await handle.stat({ bigint: true })) !== entry.stamp) throw new EntryChanged(entry.path);
  }
}

function buffersFor(size: number): [Buffer, Buffer] {
  const length = Math.min(size, readBytes);
  return [Buffer.allocUnsafe(length), Buffer.allocUnsafe(size > readBytes ? readBytes : 0)];
}

interface Walk extends FindOptions {
  names: AccountNames;
  /** Other file systems are not entered: /proc and network shares have no end. */
  device: bigint;
}

async function* below(path: string, stats: BigIntStats, walk: Walk): AsyncGenerator<TreeEntry | Skipped> {
  walk.signal.throwIfAborted();
  if (walk.skip(path)) return;
  if (path.includes('\uFFFD')) return yield { path, reason: 'its name is not UTF-8' };
  if (!stats.isDirectory()) return yield await entryOf(path, stats, walk);
  if (stats.dev !== walk.device) return yield { path, reason: 'it is another file system' };
  yield await entryOf(path, stats, walk);
  let children: string[];
  try {
    children = (await readdir(path)).sort();
  } catch (error) {
    return yield { path, reason: reasonOf(error) };
  }
  for (const child of children) {
    const inner = join(path, child);
    const found = await look(inner);
    if (found) yield* below(inner, found, walk);
  }
}

async function entryOf(path: string, stats: BigIntStats, { names }: Walk): Promise<TreeEntry | Skipped> {
  const common = {
    path,
    mode: (Number(stats.mode) & 0o7777).toString(8).padStart(4, '0'),
    owner: names.nameOf('passwd', Number(stats.uid)),
    group: names.nameOf('group', Number(stats.gid)),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtimeMs: Number(stats.mtimeMs),
  };
  if (stats.isFile()) return { ...common, type: 'file', size: Number(stats.size), stamp: stampOf(stats) };
  if (stats.isDirectory()) return { ...common, type: 'folder', size: 0 };
  if (!stats.isSymbolicLink()) return { path, reason: `it is a ${kindOf(stats)}` };
  try {
    return { ...common, type: 'link', size: 0, target: await readlink(path) };
  } catch (error) {
    return { path, reason: reasonOf(error) };
  }
}

function kindOf(stats: BigIntStats): string {
  if (stats.isSocket()) return 'socket';
  if (stats.isFIFO()) return 'pipe';
  return 'device';
}

/** Opens what was found; neither follows a link that came in its place, nor waits at a pipe. */
async function openSame(entry: TreeEntry): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(entry.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ELOOP')) {
      throw new EntryChanged(entry.path, error);
    }
    throw error;
  }
  if (stampOf(await handle.stat({ bigint: true })) === entry.stamp) return handle;
  await handle.close();
  throw new EntryChanged(entry.path);
}

const stampOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(' ');

async function* matching(folder: string, [name, ...rest]: string[]): AsyncGenerator<string> {
  if (name === undefined) return yield folder;
  for (const one of name.includes('*') ? await namesIn(folder, name) : [name])
    yield* matching(join(folder, one), rest);
}

async function namesIn(folder: string, pattern: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => matchesGlob(`/${pattern}`, `/${name}`)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function look(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
