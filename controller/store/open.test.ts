import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { emptyDatabase, openStore } from './open.ts';

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
  await expect(openStore({ dialect: 'sqlite', database })).rejects.toThrow('could not be brought up to date');
  expect(count()).toBe(known + 1);
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
