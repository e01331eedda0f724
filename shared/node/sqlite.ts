import { chmodSync, closeSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';

export type Sqlite = Database.Database;

/**
 * Opens a database that survives power cuts: WAL, `synchronous=FULL` (NORMAL may lose the last commits), foreign keys on.
 * `path` may be `:memory:` or a serialized database. The file is readable by its owner only.
 */
export function openSqlite(path: string | Buffer): Sqlite {
  if (typeof path === 'string' && path !== ':memory:') makePrivate(path);
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.pragma('busy_timeout = 5000');
  db.pragma('cache_size = -65536');
  return db;
}

/** Before SQLite opens it: the files it puts beside it (`-wal`, `-shm`) take over its mode. */
function makePrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

/** The disk is full, as SQLite or the file system says it. */
export const isDiskFull = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  /^(SQLITE_FULL|ENOSPC|EDQUOT|SQLITE_IOERR_WRITE|SQLITE_IOERR_SHMSIZE)/.test(error.code);
