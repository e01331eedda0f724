import { describe, expect, test } from 'vitest';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import { seededRandom } from '../../test/simulation/random.ts';
import { AgentStore } from './agent-store.ts';
import { defaultOutboxBounds } from './log-bounds.ts';
import { DatabaseTooNew, migrate, migrations, type Step, schemaOf, schemaRange } from './schema.ts';

const random = seededRandom('schema');
const knownNow = migrations.length;

const openStore = (db: Sqlite) => new AgentStore(db, random, defaultOutboxBounds);

/** A database as a program that knows `steps` leaves it. */
function madeBy(steps: readonly Step[]): Sqlite {
  const db = openSqlite(':memory:');
  migrate(db, steps);
  return db;
}

interface Column {
  name: string;
  type: string;
  notnull: number;
  dflt_value: string | null;
  pk: number;
  hidden: number;
}

const tablesOf = (db: Sqlite) =>
  db
    .prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
    .pluck()
    .all();
const columnsOf = (db: Sqlite, table: string) => db.pragma(`table_xinfo(${table})`) as Column[];
const uniqueOf = (db: Sqlite, table: string) =>
  (db.pragma(`index_list(${table})`) as { name: string; unique: number }[])
    .filter(({ unique }) => unique === 1)
    .map(({ name }) => name);

/** What a program that knows only `before` would stumble over in `after`. */
function obstacles(before: Sqlite, after: Sqlite, sql: string): string[] {
  const found: string[] = [];
  for (const table of tablesOf(before)) {
    const old = columnsOf(before, table);
    const now = columnsOf(after, table);
    if (JSON.stringify(now.slice(0, old.length)) !== JSON.stringify(old)) found.push(`columns of ${table}`);
    for (const added of now.slice(old.length)) {
      if (added.hidden !== 0 || (added.notnull === 1 && added.dflt_value === null)) {
        found.push(`${table}.${added.name} must be filled`);
      }
    }
    if (uniqueOf(before, table).join() !== uniqueOf(after, table).join()) found.push(`unique of ${table}`);
    const isNew = new RegExp(`ALTER TABLE ${table}[^;]*(CHECK|REFERENCES|GENERATED)`, 'i');
    if (isNew.test(sql)) found.push(`a rule about ${table}`);
  }
  const triggers = after.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'trigger'`).all();
  return triggers.length > 0 ? [...found, 'a trigger'] : found;
}

describe('a version before goes on with what a newer one left', () => {
  const steps = migrations.map((step, index) => ({ step, index })).slice(1);

  test.each(steps)('after step $index', ({ step, index }) => {
    if (typeof step !== 'string') return expect(step.needs).toBeLessThan(index + 1);
    const before = madeBy(migrations.slice(0, index));
    expect(obstacles(before, madeBy(migrations.slice(0, index + 1)), step)).toEqual([]);
  });

  test.each([
    ['a column with a rule', 'ALTER TABLE tasks ADD COLUMN a TEXT CHECK (a <> code)', true],
    ['a column that is gone', 'ALTER TABLE tasks DROP COLUMN note', true],
    ['another name', 'ALTER TABLE outbox RENAME COLUMN at TO made_at', true],
    ['a unique index', 'CREATE UNIQUE INDEX once ON outbox (code, at)', true],
    ['a trigger', 'CREATE TRIGGER t AFTER INSERT ON kv BEGIN DELETE FROM kv; END', true],
    ['a column that may be empty', 'ALTER TABLE tasks ADD COLUMN a TEXT', false],
    ['a table', 'CREATE TABLE more (a TEXT PRIMARY KEY) STRICT', false],
  ])('the check sees %s', (_what, sql, isObstacle) => {
    const after = madeBy([...migrations, sql]);
    expect(obstacles(madeBy(migrations), after, sql).length > 0).toBe(isObstacle);
  });
});

test('what a version wrote during its trial is delivered by the version before, with the next number', () => {
  const newer = [...migrations, 'ALTER TABLE tasks ADD COLUMN mood TEXT; CREATE TABLE moods (a TEXT);'];
  const db = openSqlite(':memory:');
  const first = openStore(db);
  first.write(() =>
    first.outbox.append('progress', { type: 'task.progress', code: 'aB3dE6gH', at: 0, attempt: 1 }),
  );

  migrate(db, newer);
  const trial = openStore(db);
  trial.write(() => {
    trial.outbox.append('phase', { type: 'task.progress', code: 'aB3dE6gH', at: 1, attempt: 1 });
    trial.tasks.insert({
      ...{ code: 'new', type: 'NEW_TYPE', parameters: '{}', signed: null, timeoutMs: 1, force: false },
      ...{ attempt: 1, acceptedAt: 1, acceptedSeq: 2 },
    });
  });
  db.exec(`UPDATE tasks SET mood = 'good'`);

  const back = openStore(db);
  expect(back.storeId).toBe(first.storeId);
  expect(back.epoch).toBe(first.epoch + 2);
  expect(back.tasks.unfinished().map(({ code }) => code)).toEqual(['new']);
  expect(back.outbox.after(0, { maxRows: 9, maxBytes: 9999 }).map(({ seq }) => seq)).toEqual([1, 2]);
  const next = back.write(() =>
    back.outbox.append('phase', { type: 'task.progress', code: 'aB3dE6gH', at: 2, attempt: 1 }),
  );
  expect(next).toBe(3);
  migrate(db, newer);
  expect(db.prepare('SELECT mood FROM tasks').pluck().get()).toBe('good');
  expect(schemaOf(db)).toEqual({ newest: knownNow + 1, oldest: 1 });
});

describe('a step that the version before cannot ignore', () => {
  const breaking: Step = { sql: 'DROP TABLE questions', needs: knownNow + 1 };

  test('is refused by it, and by whoever knows less, before anything is changed', () => {
    const db = madeBy([...migrations, breaking]);
    const bytes = db.serialize();
    expect(() => openStore(db)).toThrow(DatabaseTooNew);
    expect(db.serialize().equals(bytes)).toBe(true);
    expect(schemaRange([...migrations, breaking])).toEqual({ newest: knownNow + 1, oldest: knownNow + 1 });
  });

  test('is no obstacle to whoever knows the steps that it needs', () => {
    const later: Step = { sql: 'CREATE TABLE later (a TEXT)', needs: knownNow };
    expect(openStore(madeBy([...migrations, later])).epoch).toBe(1);
  });

  test('may take away what tells about it', () => {
    const db = madeBy([...migrations]);
    db.exec(`DROP TABLE kv; PRAGMA user_version = ${knownNow + 1}`);
    expect(() => openStore(db)).toThrow(DatabaseTooNew);
  });
});

test('a step that fails leaves the database as it was', () => {
  const db = madeBy(migrations);
  const bad = [...migrations, 'CREATE TABLE fine (a TEXT)', 'CREATE TABLE kv (a TEXT)'];
  expect(() => migrate(db, bad)).toThrow(/already exists/);
  expect(schemaOf(db).newest).toBe(knownNow);
  expect(tablesOf(db)).not.toContain('fine');
});
