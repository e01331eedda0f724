import { lstat, open, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TaskError } from '../../../shared/errors.ts';
import { FilePath } from '../../../shared/manifest.ts';
import { runTool } from '../../system/tool.ts';
import { fileState, type RawFileState } from './managed-files.ts';
import { isMissing, makeFolder, replaceDurably, syncFolder } from './workspace-durable.ts';
import type { WorkspaceLayout } from './workspace-layout.ts';

/**
 * What the snapshot says of one path. `folder`: not there, and to be removed on the way back. guard.sh reads the same lines:
 * kind, number, mode, uid, gid, SHA-256, size, path.
 */
export type SnapshotEntry =
  | ({ kind: 'file'; number: number } & RawFileState)
  | { kind: 'absent' | 'folder'; number: number; path: string };

/** Copies so many files with one process. */
const batch = 100;

/** Copies what is at the paths, brings it to the disk, reads it back and compares. The manifest comes last: without it there is no snapshot. */
export async function takeSnapshot(layout: WorkspaceLayout, paths: string[]): Promise<void> {
  await rm(layout.snapshotManifest, { force: true });
  await rm(layout.snapshotFiles, { recursive: true, force: true });
  await makeFolder(layout.snapshotFiles, 0o700);
  const entries = await entriesOf([...new Set(paths)].sort());
  const files = entries.filter((entry) => entry.kind === 'file');
  for (let from = 0; from < files.length; from += batch) await copy(layout, files.slice(from, from + batch));
  for (const file of files) await confirmCopy(layout, file);
  await syncTree(layout.snapshotFiles);
  await replaceDurably(layout.snapshotManifest, entries.map(formatEntry).join(''));
}

/** The snapshot's entries by path; empty without a snapshot. */
export async function readSnapshot(layout: WorkspaceLayout): Promise<Map<string, SnapshotEntry>> {
  const text = await readFile(layout.snapshotManifest, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw error;
  });
  const entries = text.split('\n').slice(0, -1).map(parseEntry);
  return new Map(entries.map((entry) => [entry.path, entry]));
}

/** Where a file lies while it is not yet at its real path. guard.sh clears it away. */
export const draftOf = (id: string, { number, path }: { number: number; path: string }): string =>
  join(dirname(path), `.muster-${id}.${number}.new`);

async function entriesOf(paths: string[]): Promise<SnapshotEntry[]> {
  const entries: SnapshotEntry[] = [];
  const folders = new Set<string>();
  for (const path of paths) {
    if (!FilePath.safeParse(path).success) {
      throw new TaskError(
        'not_a_file',
        `${JSON.stringify(path)} cannot be managed: expected an absolute plain path`,
      );
    }
    const state = await fileState(path);
    if (state) {
      entries.push({ kind: 'file', number: entries.length, ...state });
      continue;
    }
    for (const folder of await missingFolders(path)) {
      if (!folders.has(folder)) entries.push({ kind: 'folder', number: entries.length, path: folder });
      folders.add(folder);
    }
    entries.push({ kind: 'absent', number: entries.length, path });
  }
  return entries;
}

/** Folders of the path that are not there, the outermost first. */
async function missingFolders(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) {
    const stats = await lstat(folder).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (stats) break;
    missing.unshift(folder);
  }
  return missing;
}

async function copy(layout: WorkspaceLayout, files: RawFileState[]): Promise<void> {
  const preserve = '--preserve=mode,ownership,timestamps,xattr';
  // From the root: some versions of cp look for the folders above a file relative to where they are.
  const args = [
    '--chdir=/',
    'cp',
    '--parents',
    '--no-dereference',
    preserve,
    '-t',
    layout.snapshotFiles,
    '--',
  ];
  const end = await runTool('env', [...args, ...files.map(({ path }) => path)], { timeoutMs: 120_000 });
  if (end?.exitCode === 0) return;
  const why = end?.stderr.trim().split('\n').at(-1) ?? 'the machine has no program cp';
  const full = /No space left|quota exceeded/i.test(why);
  throw new TaskError(full ? 'disk_full' : 'snapshot_failed', `The files cannot be copied aside: ${why}`);
}

async function confirmCopy(layout: WorkspaceLayout, file: RawFileState): Promise<void> {
  const path = join(layout.snapshotFiles, file.path);
  {
    await using handle = await open(path, 'r');
    await handle.sync();
  }
  const made = await fileState(path);
  const isSame = (['mode', 'uid', 'gid', 'size', 'sha256'] as const).every(
    (field) => made?.[field] === file[field],
  );
  if (isSame) return;
  throw new TaskError(
    'snapshot_failed',
    `${file.path} and its copy differ: it changed, or the disk is at fault`,
  );
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(folder, entry.name));
  }
  await syncFolder(folder);
}

function formatEntry(entry: SnapshotEntry): string {
  const { kind, number, path } = entry;
  const known =
    entry.kind === 'file'
      ? [entry.mode, entry.uid, entry.gid, entry.sha256, entry.size]
      : ['-', '-', '-', '-', '-'];
  return `${[kind, number, ...known, path].join('\t')}\n`;
}

function parseEntry(line: string): SnapshotEntry {
  const [kind, number, mode = '', uid, gid, sha256 = '', size, path = ''] = line.split('\t');
  if (kind !== 'file') return { kind: kind === 'folder' ? 'folder' : 'absent', number: Number(number), path };
  const [owner, group, bytes] = [Number(uid), Number(gid), Number(size)];
  return { kind, number: Number(number), path, mode, uid: owner, gid: group, size: bytes, sha256 };
}
