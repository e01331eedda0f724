import { existsSync, renameSync } from 'node:fs';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { keepDatabaseCopy } from '../../shared/node/database-copy.ts';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import { migrations, requireKnown, type Step, schemaOf } from './schema.ts';

interface Opening {
  clock: Clock;
  log: Logger;
  /** Those of this program, but in tests. */
  steps?: readonly Step[];
}

/**
 * Opens the agent's database. A file that is no sound database is moved aside and a new one begun: the device stays manageable, and
 * the controller learns by the new store id that what the old one held is lost. One that a newer agent made unreadable for this one is
 * left as it is: throws `DatabaseTooNew`. Before its schema changes, a copy is kept.
 */
export function openDatabase(path: string, { clock, log, steps = migrations }: Opening): Sqlite {
  const db = openOrReplace(path, { clock, log });
  try {
    requireKnown(db, steps);
    const { newest } = schemaOf(db);
    if (newest > 0 && newest < steps.length) keepCopy(db, path, log);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function openOrReplace(path: string, { clock, log }: Opening): Sqlite {
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

/** The change is one transaction and leaves the agent before able to go on: without room for a copy it is made all the same. */
function keepCopy(db: Sqlite, path: string, log: Logger): void {
  try {
    const copy = keepDatabaseCopy(db, path, `schema-${schemaOf(db).newest + 1}`);
    log.info({ event: 'agent.database_copied', path, copy }, 'the schema changes: a copy was kept');
  } catch (error) {
    log.warn({ event: 'agent.database_not_copied', err: error, path }, 'the schema changes without a copy');
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
