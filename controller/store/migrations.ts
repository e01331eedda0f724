import { type Kysely, type Migration, Migrator, type RawBuilder, sql } from 'kysely';
import type { Db, Dialect } from './dialect.ts';
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
import { releaseTables } from './tables/releases.ts';
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
};

/** Brings the schema up to date; throws when a migration fails or the database is newer than this program. */
export async function migrate(db: Db): Promise<void> {
  if (await isUpToDate(db)) return;

  const migrator = new Migrator({
    db: db.kysely,
    provider: { getMigrations: async () => Object.fromEntries(steps(db.dialect)) },
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw new Error('the database could not be brought up to date', { cause: error });
}

function steps(dialect: Dialect): [string, Migration][] {
  return Object.entries(migrations).map(([name, statements]) => [
    name,
    {
      up: async (kysely: Kysely<unknown>) => {
        for (const statement of statements(dialect)) await statement.execute(kysely);
      },
    },
  ]);
}

/** The migrator looks at every table first; opening a database that needs nothing should not. */
async function isUpToDate(db: Db): Promise<boolean> {
  try {
    const done = await sql<{ name: string }>`select name from kysely_migration`.execute(db.kysely);
    return (
      done.rows
        .map(({ name }) => name)
        .sort()
        .join() === Object.keys(migrations).sort().join()
    );
  } catch {
    return false; // no such table: a new database
  }
}
