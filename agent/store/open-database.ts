import { existsSync, renameSync } from 'node:fs';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';

/**
 * Opens the agent's database. A file that is no sound database is moved aside and a new one begun: the device stays manageable, and
 * the controller learns by the new store id that what the old one held is lost.
 */
export function openDatabase(path: string, { clock, log }: { clock: Clock; log: Logger }): Sqlite {
  try {
    return openSound(path);
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    const aside = moveAside(path, clock.now());
    log.error(
      { event: 'agent.database_corrupt', err: error, path, movedTo: aside },
      'the database was damaged: it was moved aside and a new one begun; tasks it held are reported as lost',
    );
    return openSound(path);
  }
}

/** Moves a database with its journals away. Returns its new name. */
export function moveAside(path: string, now: number): string {
  const aside = `${path}.${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return aside;
}

function openSound(path: string): Sqlite {
  const db = openSqlite(path);
  try {
    // Reads every page: damage shows now, not in the middle of a task. The database is small by its bounds.
    const verdict: unknown = db.pragma('quick_check(1)', { simple: true });
    if (verdict !== 'ok') throw new CorruptDatabase(String(verdict));
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

class CorruptDatabase extends Error {
  readonly code = 'SQLITE_CORRUPT';
}

const isCorrupt = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);
