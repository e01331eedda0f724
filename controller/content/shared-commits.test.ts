import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../shared/node/system-clock.ts';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { emptyDatabase, openStore } from '../store/open.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { SharedCommits } from './shared-commits.ts';

let store: Store;
let commits = 0;
let shared: SharedCommits;
beforeEach(async () => {
  store = await openStore({ dialect: 'sqlite', database: openSqlite(await emptyDatabase()) });
  commits = 0;
  const counting = Object.create(store) as Store;
  counting.transaction = (work) => {
    commits += 1;
    return store.transaction(work);
  };
  shared = new SharedCommits({ store: counting, clock: systemClock });
});
afterEach(() => store.close());

const set = (name: string) => async (tables: StoreTables) => {
  await tables.settings.set(name, 'set');
  return name;
};
const isSet = async (name: string) => (await store.settings.get(name)) !== undefined;

test('works that come at the same time share a commit, each with its own answer', async () => {
  const names = Array.from({ length: 100 }, (_, at) => `name ${at}`);
  expect(await Promise.all(names.map((name) => shared.run(set(name))))).toEqual(names);
  expect(commits).toBeLessThan(5);
  for (const name of names) expect(await isSet(name)).toBe(true);
});

test('a work that throws leaves nothing, and takes nothing away from the others', async () => {
  const bad = shared.run(async (tables) => {
    await set('bad')(tables);
    throw new Error('no');
  });
  const outcomes = await Promise.allSettled([shared.run(set('a')), bad, shared.run(set('b'))]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect([await isSet('a'), await isSet('bad'), await isSet('b')]).toEqual([true, false, true]);
});

test('goes on after works that failed', async () => {
  await expect(shared.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await shared.run(set('later'))).toBe('later');
});
