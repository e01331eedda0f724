import { createHash } from 'node:crypto';
import type { Unit } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import { matchesGlob } from '../../shared/glob.ts';
import { covers, EntryChanged, type FileTree, type Skipped, type TreeEntry } from './archive-tree.ts';

/** What an archive is to hold. */
export interface ArchiveSpec {
  units: Unit[];
  /** Further files and folders. */
  include: string[];
  exclude: string[];
  /** The agent's own. */
  ownPaths: string[];
  maxBytes: number;
}

export interface ArchivedEntry extends TreeEntry {
  /** null: asked for beyond the units. */
  unit: string | null;
  /** Of a file. */
  sha256?: string;
}

export interface ArchiveContents {
  /** Sorted by path. */
  entries: ArchivedEntry[];
  skipped: Skipped[];
  plainBytes: number;
}

export interface ContentsParts {
  tree: FileTree;
  signal: AbortSignal;
  progress(doneBytes: number, ofBytes: number): void;
}

const maxEntries = 100_000;
const attempts = 3;

/** Finds and reads what an archive is to hold. A unit's file that cannot be read is an error; further ones are skipped by name. */
export async function collectContents(spec: ArchiveSpec, parts: ContentsParts): Promise<ArchiveContents> {
  const { entries, skipped } = await findAll(spec, parts);
  const plainBytes = entries.reduce((sum, { size }) => sum + size, 0);
  if (plainBytes > spec.maxBytes) {
    throw new TaskError(
      'too_large',
      `The archive would hold ${plainBytes} bytes of files, and may hold ${spec.maxBytes}: exclude some, or allow more`,
    );
  }
  const contents: ArchiveContents = { entries: [], skipped, plainBytes: 0 };
  for (const entry of entries) {
    const hashed = await hashEntry(entry, spec, parts);
    if ('reason' in hashed) skipped.push(hashed);
    else {
      contents.entries.push(hashed);
      contents.plainBytes += hashed.size;
      parts.progress(contents.plainBytes, plainBytes);
    }
  }
  return contents;
}

/** Text whose keyed digest tells whether two archives hold the same; in the order of the paths. */
export function contentsText(entries: ArchivedEntry[]): string {
  const hash = createHash('sha256');
  for (const { type, path, mode, owner, group, sha256 = '', target = '' } of entries) {
    hash.update(`${JSON.stringify([type, path, mode, owner, group, sha256, target])}\n`);
  }
  return `archive ${hash.digest('hex')}`;
}

async function findAll(
  { units, include, exclude, ownPaths }: ArchiveSpec,
  { tree, signal }: ContentsParts,
): Promise<{ entries: ArchivedEntry[]; skipped: Skipped[] }> {
  const found = new Map<string, ArchivedEntry>();
  const skipped = new Map<string, Skipped>();
  const skip = (path: string): boolean =>
    [...exclude, ...ownPaths].some((pattern) => covers(pattern, path, matchesGlob));
  const globs = units.flatMap(({ name, paths }) => paths.map(({ glob }) => ({ unit: name, glob })));
  for (const { unit, glob } of [...globs, ...include.map((one) => ({ unit: null, glob: plain(one) }))]) {
    let isThere = false;
    for await (const one of tree.find(glob, { skip, signal })) {
      isThere = true;
      if ('reason' in one) skipped.set(one.path, one);
      else if (!found.has(one.path)) found.set(one.path, { ...one, unit });
      if (found.size > maxEntries) {
        throw new TaskError(
          'too_many_files',
          `The archive would hold more than ${maxEntries} files: exclude some`,
        );
      }
    }
    if (!isThere && unit === null && !skip(glob))
      skipped.set(glob, { path: glob, reason: 'nothing is there' });
  }
  const entries = [...found.values()].sort((left, right) => (left.path < right.path ? -1 : 1));
  return { entries, skipped: [...skipped.values()] };
}

function plain(pattern: string): string {
  if (!pattern.split('/').includes('..')) return pattern.replace(/(?<=.)\/+$/, '');
  throw new TaskError('invalid_parameters', `${pattern} names no path: expected one without ..`);
}

async function hashEntry(
  entry: ArchivedEntry,
  { ownPaths, exclude }: ArchiveSpec,
  { tree, signal }: ContentsParts,
): Promise<ArchivedEntry | Skipped> {
  if (entry.type !== 'file') return entry;
  let current: TreeEntry | undefined = entry;
  for (let attempt = 1; current !== undefined; attempt += 1) {
    try {
      return { ...current, unit: entry.unit, sha256: await tree.digest(current, signal) };
    } catch (error) {
      signal.throwIfAborted();
      const isLast = !(error instanceof EntryChanged) || attempt === attempts;
      if (isLast && entry.unit === null) return { path: entry.path, reason: reasonOf(error) };
      if (isLast) throw unreadable(error, entry.path);
      current = await findFile(entry.path, { tree, signal, skip: [...ownPaths, ...exclude] });
    }
  }
  return { path: entry.path, reason: 'it was removed meanwhile' };
}

/** What is at the path now, if it is still a file. */
async function findFile(
  path: string,
  { tree, signal, skip }: { tree: FileTree; signal: AbortSignal; skip: string[] },
): Promise<TreeEntry | undefined> {
  const options = {
    signal,
    skip: (one: string) => skip.some((pattern) => covers(pattern, one, matchesGlob)),
  };
  for await (const one of tree.find(path, options)) {
    if (one.path === path && 'type' in one && one.type === 'file') return one;
  }
  return undefined;
}

const unreadable = (error: unknown, path: string): TaskError =>
  error instanceof EntryChanged
    ? new TaskError('unstable', `${error.message}, again and again: nothing was archived`, { cause: error })
    : new TaskError('unreadable', `${path} cannot be read: ${reasonOf(error)}`, { cause: error });

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
