import { Kysely } from 'kysely';
import { keepDatabaseCopy } from '../../shared/node/database-copy.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import type { Db, DialectChoice } from './dialect.ts';
import { migrate, missingMigrations } from './migrations.ts';
import type { Schema } from './schema.ts';
import { sqliteChoice } from './sqlite.ts';
import { SqlStore, type Store } from './store.ts';

/** Where the store is. A `database` that is handed in stays its owner's: closing the store leaves it open. */
export type StoreOptions =
  | { dialect: 'sqlite'; path: string; log?: Logger }
  | { dialect: 'sqlite'; database: Sqlite };

/** Opens the store and brings its schema up to date; of a file, a copy from before is kept. */
export async function openStore(options: StoreOptions): Promise<Store> {
  if (!('path' in options)) return openDialect(sqliteChoice(options.database, false));
  const file = openFile(options.path);
  return openDialect(sqliteChoice(file, true), (missing) => keepCopy(file, options, missing));
}

/** The change is one transaction: without room for a copy it is made all the same. */
function keepCopy(file: Sqlite, { path, log }: { path: string; log?: Logger }, missing: string[]): void {
  const isNew = file.prepare('select 1 from sqlite_schema').get() === undefined;
  if (isNew) return;
  try {
    log?.info({ path, missing }, 'the database is copied before it is brought up to date');
    log?.info(
      { path, copy: keepDatabaseCopy(file, path, missing[0] ?? '') },
      'a copy of the database was kept',
    );
  } catch (error) {
    log?.warn({ err: error, path }, 'the database is brought up to date without a copy');
  }
}

/** With 16 MiB of WAL between checkpoints instead of 4: nearly every commit of a busy controller would pay for one. */
function openFile(path: string): Sqlite {
  const database = openSqlite(path);
  database.pragma('wal_autocheckpoint = 4000');
  return database;
}

/** A database with an up-to-date schema and nothing in it, as bytes for `openSqlite`: opening these is far faster than migrating. */
export async function emptyDatabase(): Promise<Buffer> {
  const database = openSqlite(':memory:');
  try {
    await (await openStore({ dialect: 'sqlite', database })).close();
    return database.serialize();
  } finally {
    database.close();
  }
}

async function openDialect(
  choice: DialectChoice,
  beforeChange?: (missing: string[]) => void,
): Promise<Store> {
  const db: Db = { kysely: new Kysely<Schema>({ dialect: choice.kysely }), dialect: choice.dialect };
  try {
    const missing = await missingMigrations(db);
    if (missing.length > 0) {
      beforeChange?.(missing);
      await migrate(db, missing);
    }
  } catch (error) {
    await db.kysely.destroy();
    throw error;
  }
  return new SqlStore(db);
}
