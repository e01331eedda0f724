import { type RawBuilder, sql } from 'kysely';
import { AppError } from '../../shared/errors.ts';
import { all, atomically, type Db, type Dialect } from './dialect.ts';
import { accessTables } from './tables/access.ts';
import { assistantTables } from './tables/assistant.ts';
import { configurationTables } from './tables/configuration.ts';
import { contentTables } from './tables/content.ts';
import { deviceTables } from './tables/devices.ts';
import { historyTables } from './tables/history.ts';
import { identityTables } from './tables/identities.ts';
import { keyTables } from './tables/keys.ts';
import { loginTables } from './tables/logins.ts';
import { questionTables } from './tables/questions.ts';
import { pluginTables, releaseTables } from './tables/releases.ts';
import { scheduleTables } from './tables/schedules.ts';
import { sessionTables } from './tables/sessions.ts';
import { taskTables } from './tables/tasks.ts';
import { webhookTables } from './tables/webhooks.ts';

/** Every change of the schema, in order. One that was ever released is never altered. */
const migrations: Record<string, (dialect: Dialect) => RawBuilder<unknown>[]> = {
  '001_initial': (dialect) => [
    ...accessTables(dialect),
    ...deviceTables(dialect),
    ...taskTables(dialect),
    ...historyTables(dialect),
  ],
  '002_configuration': (dialect) => [...contentTables(dialect), ...configurationTables(dialect)],
  '003_sessions': sessionTables,
  '004_schedules': scheduleTables,
  '005_access': loginTables,
  '006_questions': questionTables,
  '007_assistant': assistantTables,
  '008_webhooks': webhookTables,
  '009_identities': identityTables,
  '010_releases': releaseTables,
  '011_key_rotation': keyTables,
  '012_plugins': pluginTables,
};

/** A newer program changed it: starting this one again does not help. */
export class DatabaseTooNew extends AppError {
  constructor(message: string) {
    super('conflict', message);
  }
}

/** Names of the migrations that this database lacks. Throws when it has some of a newer program. */
export async function missingMigrations(db: Db): Promise<string[]> {
  const done = new Set(await migrationsOf(db));
  const newer = [...done].filter((name) => !(name in migrations));
  if (newer.length > 0) {
    throw new DatabaseTooNew(
      `The database is of a newer controller, which changed it by ${newer.join(', ')}: install that version again, or put back a copy from before (docs/operations.md). Nothing was changed`,
    );
  }
  return Object.keys(migrations).filter((name) => !done.has(name));
}

/** Makes these changes, in one transaction: killed at any time, the next start finds the old schema or the new one. */
export async function migrate(db: Db, names: string[]): Promise<void> {
  await atomically(db, async (within) => {
    await all(within, bookkeeping);
    const missing = await missingMigrations(within);
    // Another process may have been faster.
    for (const name of names.filter((one) => missing.includes(one))) {
      for (const statement of migrations[name]?.(db.dialect) ?? []) await all(within, statement);
      await all(
        within,
        sql`insert into kysely_migration (name, timestamp) values (${name}, cast(current_timestamp as varchar(255)))`,
      );
    }
  });
}

const bookkeeping = sql`create table if not exists kysely_migration (name varchar(255) not null primary key, timestamp varchar(255) not null)`;

/** Empty for a new database. */
async function migrationsOf(db: Db): Promise<string[]> {
  try {
    return (await all(db, sql<{ name: string }>`select name from kysely_migration`)).map(({ name }) => name);
  } catch {
    return []; // no such table
  }
}
