import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Sqlite } from './sqlite.ts';

/** Left free beside the copy: whoever works on this disk goes on. */
const spareBytes = 64 * 1024 * 1024;

/**
 * Copies an open database to `PATH.before-NAME`, whole or not at all, and removes the copies made before: there is one at most. For a
 * person; no program reads it. Throws when the disk has no room for it.
 */
export function keepDatabaseCopy(db: Sqlite, path: string, name: string): string {
  const folder = dirname(path);
  const copies = `${basename(path)}.before-`;
  const older = readdirSync(folder).filter((one) => one.startsWith(copies));
  requireRoom(path);
  const draft = `${path}.copy`;
  rmSync(draft, { force: true });
  // SQLite takes an empty file for its own, with the mode that it has.
  closeSync(openSync(draft, 'w', 0o600));
  chmodSync(draft, 0o600);
  try {
    db.prepare('VACUUM INTO ?').run(draft);
    sync(draft);
    renameSync(draft, join(folder, copies + name));
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  sync(folder);
  for (const one of older.filter((file) => file !== copies + name)) rmSync(join(folder, one));
  return join(folder, copies + name);
}

function requireRoom(path: string): void {
  const { bavail, bsize } = statfsSync(dirname(path));
  const needed = ['', '-wal'].reduce(
    (sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0),
    spareBytes,
  );
  if (bavail * bsize >= needed) return;
  throw new Error(`a copy of ${path} needs ${needed} bytes, and ${bavail * bsize} are free`);
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
