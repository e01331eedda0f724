import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Kysely } from 'kysely';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { openSqlite } from '../../shared/node/sqlite.ts';
import type { Db } from './dialect.ts';
import { migrate, missingMigrations } from './migrations.ts';
import { emptyDatabase, openStore } from './open.ts';
import type { Schema } from './schema.ts';
import { sqliteChoice } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'muster-open-'));
afterAll(() => rmSync(folder, { recursive: true }));

const newPath = () => join(folder, `${randomUUID()}.db`);

test('a store keeps what it held when it is opened again', async () => {
  const path = newPath();
  const first = await openStore({ dialect: 'sqlite', path });
  await first.settings.set('controller_id', 'c1');
  await first.close();
  const second = await openStore({ dialect: 'sqlite', path });
  expect(await second.settings.get('controller_id')).toBe('c1');
  await second.close();
});

test('stores opened from the bytes of an empty one do not share anything', async () => {
  const bytes = await emptyDatabase();
  const [one, two] = [openSqlite(bytes), openSqlite(bytes)];
  const first = await openStore({ dialect: 'sqlite', database: one });
  const second = await openStore({ dialect: 'sqlite', database: two });
  await first.settings.set('a', '1');
  expect(await second.settings.get('a')).toBeUndefined();
  one.close();
  two.close();
});

test('a database that is handed in stays open when the store is closed', async () => {
  const database = openSqlite(':memory:');
  const store = await openStore({ dialect: 'sqlite', database });
  await store.settings.set('a', '1');
  await store.close();
  expect(database.prepare('select value from settings').pluck().get()).toBe('1');
  database.close();
});

test('a database of a newer version is refused and left as it is', async () => {
  const database = openSqlite(await emptyDatabase());
  const count = () => database.prepare('select count(*) from kysely_migration').pluck().get();
  const known = Number(count());
  database.exec("insert into kysely_migration (name, timestamp) values ('999_future', '2030-01-01')");
  await expect(openStore({ dialect: 'sqlite', database })).rejects.toThrow(/newer controller.*999_future/);
  expect(count()).toBe(known + 1);
  database.close();
});

/** As the version before the last change leaves it. Returns the name of that change. */
async function olderDatabase(path: string, more = ''): Promise<string> {
  const file = openSqlite(path);
  const { kysely, dialect } = sqliteChoice(file, false);
  const db: Db = { kysely: new Kysely<Schema>({ dialect: kysely }), dialect };
  const names = await missingMigrations(db);
  await migrate(db, names.slice(0, -1));
  file.exec(`insert into settings (name, value) values ('controller_id', 'c1'); ${more}`);
  file.close();
  return String(names.at(-1));
}

const copiesOf = (path: string) =>
  readdirSync(folder).filter((name) => name.startsWith(`${basename(path)}.`));

test('before the schema changes, one copy of the database is kept and its place is logged', async () => {
  const path = newPath();
  const last = await olderDatabase(path);
  writeFileSync(`${path}.before-000_ancient`, 'of an upgrade before');
  const said: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void said.push(line) });
  for (let times = 0; times < 2; times += 1)
    await (await openStore({ dialect: 'sqlite', path, log })).close();

  expect(copiesOf(path)).toEqual([`${basename(path)}.before-${last}`]);
  expect(said.join('')).toContain(`${path}.before-${last}`);
  const copy = openSqlite(`${path}.before-${last}`);
  expect(copy.prepare('select name from kysely_migration where name = ?').get(last)).toBeUndefined();
  expect(copy.prepare(`select value from settings where name = 'controller_id'`).pluck().get()).toBe('c1');
  copy.close();
});

test('a new database has no copy', async () => {
  const path = newPath();
  await (await openStore({ dialect: 'sqlite', path })).close();
  expect(copiesOf(path)).toEqual([]);
});

test('changes of the schema that fail in their middle leave the database as it was', async () => {
  const database = openSqlite(':memory:');
  // In the way of a later change, after many that could be made.
  database.exec('create table webhooks (a text)');
  await expect(openStore({ dialect: 'sqlite', database })).rejects.toThrow('webhooks already exists');
  const tables = database.prepare('select name from sqlite_schema').pluck().all();
  expect(tables).toEqual(['webhooks']);
  database.close();
});

test('a transaction that has only read so far cannot be overtaken by another process', async () => {
  const path = newPath();
  const store = await openStore({ dialect: 'sqlite', path });
  const other = openSqlite(path);
  other.pragma('busy_timeout = 0');
  const write = () => other.exec("insert into settings (name, value) values ('theirs', '1')");
  await store.transaction(async ({ settings }) => {
    await settings.get('ours');
    expect(write).toThrow('database is locked');
    await settings.set('ours', '1');
  });
  write();
  expect(await store.settings.get('ours')).toBe('1');
  other.close();
  await store.close();
});
