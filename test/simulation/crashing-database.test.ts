import { describe, expect, test } from 'vitest';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { type CommitSide, type DiskFaults, processDatabase } from './crashing-database.ts';
import { Process, WallClock } from './process.ts';
import { Scheduler } from './scheduler.ts';

function open() {
  const raw = openSqlite(':memory:');
  raw.exec('CREATE TABLE t (n INTEGER)');
  const scheduler = new Scheduler();
  const process = new Process('one', scheduler, new WallClock(scheduler, 0));
  let commits = 0;
  const faults: DiskFaults = { crash: undefined, full: undefined };
  const db = processDatabase({
    raw,
    process,
    faults,
    committed: () => {
      commits += 1;
    },
  });
  const survivors = (): unknown[] => raw.prepare('SELECT n FROM t').pluck().all();
  return { db, faults, process, survivors, commits: () => commits };
}

/** Three commits: a plain statement, a transaction by statements as kysely does it, one by better-sqlite3. */
function writeThree(db: ReturnType<typeof open>['db']): void {
  db.prepare('INSERT INTO t VALUES (1)').run();
  db.prepare('begin immediate').run();
  db.prepare('INSERT INTO t VALUES (2)').run();
  db.prepare('INSERT INTO t VALUES (2)').run();
  db.prepare('commit').run();
  db.transaction(() => {
    db.prepare('INSERT INTO t VALUES (3)').run();
    db.transaction(() => db.prepare('INSERT INTO t VALUES (3)').run())();
  })();
}

test('counts commits, not statements', () => {
  const { db, commits, survivors } = open();
  writeThree(db);
  expect(commits()).toBe(3);
  expect(survivors()).toEqual([1, 2, 2, 3, 3]);
});

describe('a crash at a commit leaves exactly what was committed', () => {
  test.each<[number, CommitSide, number[]]>([
    [1, 'before', []],
    [1, 'after', [1]],
    [2, 'before', [1]],
    [2, 'after', [1, 2, 2]],
    [3, 'before', [1, 2, 2]],
    [3, 'after', [1, 2, 2, 3, 3]],
  ])('commit %i, %s it', (n, side, expected) => {
    const { db, faults, process, survivors } = open();
    faults.crash = { commits: n, side, crash: () => process.die() };

    expect(() => writeThree(db)).toThrow('one is dead');
    expect(survivors()).toEqual(expected);
    expect(() => db.prepare('SELECT 1')).toThrow('one is dead');
  });
});

test('a process that dies in the middle of a transaction leaves nothing of it', () => {
  const { db, process, survivors } = open();
  db.prepare('begin').run();
  db.prepare('INSERT INTO t VALUES (1)').run();
  process.die();

  expect(survivors()).toEqual([]);
});

test.each(['write', 'commit'] as const)(
  'a disk that is full at the %s leaves nothing of a transaction',
  (at) => {
    const { db, faults, survivors } = open();
    faults.full = at;
    expect(() => db.prepare('INSERT INTO t VALUES (1)').run()).toThrow('disk is full');
    expect(() => db.transaction(() => db.prepare('INSERT INTO t VALUES (2)').run())()).toThrow(
      'disk is full',
    );
    faults.full = undefined;
    db.prepare('INSERT INTO t VALUES (3)').run();
    expect(survivors()).toEqual([3]);
  },
);
