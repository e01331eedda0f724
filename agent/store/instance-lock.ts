import Database from 'better-sqlite3';

/** Held as long as the agent lives; the kernel releases it when the process dies, however it dies. */
export type InstanceLock = Disposable;

/**
 * Makes sure that one process uses a data folder: the lock of an SQLite file of its own. Undefined when another process has it
 * and keeps it for `waitMs`.
 */
export function lockInstance(path: string, waitMs: number): InstanceLock | undefined {
  const db = new Database(path, { timeout: waitMs });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY') return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => db.close() };
}
