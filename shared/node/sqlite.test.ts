import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { isDiskFull, openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'muster-sqlite-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a database in a file survives power cuts and is readable by its owner only, with what stands beside it', () => {
  const path = join(folder, 'private.db');
  const db = openSqlite(path);
  db.exec('create table t (a)');
  expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
  expect(db.pragma('synchronous', { simple: true })).toBe(2);
  expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
  for (const end of ['', '-wal', '-shm']) expect(statSync(path + end).mode & 0o777).toBe(0o600);
  db.close();
});

test('what was committed is there after opening again', () => {
  const path = join(folder, 'again.db');
  const first = openSqlite(path);
  first.exec('create table t (a); insert into t values (7)');
  first.close();
  const second = openSqlite(path);
  expect(second.prepare('select a from t').pluck().all()).toEqual([7]);
  second.close();
});

test('a database in memory opens from the bytes of another', () => {
  const first = openSqlite(':memory:');
  first.exec('create table t (a); insert into t values (7)');
  const second = openSqlite(first.serialize());
  first.close();
  second.exec('insert into t values (8)');
  expect(second.prepare('select a from t').pluck().all()).toEqual([7, 8]);
  second.close();
});

test('a database that may not grow is told apart as a full disk', () => {
  const db = openSqlite(':memory:');
  db.exec('create table t (a)');
  db.pragma('max_page_count = 3');
  const fill = db.prepare('insert into t values (zeroblob(100000))');
  let failure: unknown;
  try {
    fill.run();
  } catch (error) {
    failure = error;
  }
  expect(isDiskFull(failure)).toBe(true);
  expect(isDiskFull(new Error('something else'))).toBe(false);
  expect(isDiskFull(Object.assign(new Error('write'), { code: 'ENOSPC' }))).toBe(true);
  expect(isDiskFull(Object.assign(new Error('write'), { code: 'ENOENT' }))).toBe(false);
  expect(isDiskFull('SQLITE_FULL')).toBe(false);
  db.close();
});
