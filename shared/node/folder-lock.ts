import { join } from 'node:path';
import Database from 'better-sqlite3';

/**
 * Makes sure that one process at a time works on a folder. The operating system lets go of the lock when the process ends, however
 * it ends. Returns undefined when another process holds it.
 */
export function lockFolder(folder: string): Disposable | undefined {
  const db = new Database(join(folder, 'lock.db'), { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY'))
      return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => db.close() };
}
