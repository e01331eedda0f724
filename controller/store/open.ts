import { Kysely } from 'kysely';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import type { Db, DialectChoice } from './dialect.ts';
import { migrate } from './migrations.ts';
import type { Schema } from './schema.ts';
import { sqliteChoice } from './sqlite.ts';
import { SqlStore, type Store } from './store.ts';

/** Where the store is. A `database` that is handed in stays its owner's: closing the store leaves it open. */
export type StoreOptions = { dialect: 'sqlite'; path: string } | { dialect: 'sqlite'; database: Sqlite };

/** Opens the store and brings its schema up to date. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const choice =
    'path' in options ? sqliteChoice(openFile(options.path), true) : sqliteChoice(options.database, false);
  return openDialect(choice);
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

async function openDialect(choice: DialectChoice): Promise<Store> {
  const db: Db = { kysely: new Kysely<Schema>({ dialect: choice.kysely }), dialect: choice.dialect };
  try {
    await migrate(db);
  } catch (error) {
    await db.kysely.destroy();
    throw error;
  }
  return new SqlStore(db);
}
