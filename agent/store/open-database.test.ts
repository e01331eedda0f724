import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../shared/node/logger.ts';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { systemClock } from '../../shared/node/system-clock.ts';
import { seededRandom } from '../../test/simulation/random.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { AgentStore } from './agent-store.ts';
import { defaultOutboxBounds } from './log-bounds.ts';
import { openDatabase } from './open-database.ts';
import { DatabaseTooNew, migrate, migrations } from './schema.ts';

const random = seededRandom('open database');

test.each([
  [
    'no database at all',
    Buffer.from('this was never a database, and it is longer than a header '.repeat(20)),
  ],
  ['a database with a torn page', undefined],
])('%s is moved aside, loudly, and a new store begins', (_name, text) => {
  using folder = temporaryFolder('open-database');
  const path = join(folder.path, 'agent.sqlite');
  const first = openDatabase(path, { clock: systemClock, log: silentLogger() });
  const { storeId } = new AgentStore(first, random, defaultOutboxBounds);
  first.close();
  if (text) writeFileSync(path, text);
  else {
    const size = statSync(path).size;
    const torn = Buffer.alloc(size, 0xff);
    writeFileSync(path, torn.subarray(0, size - 100), { flag: 'r+' });
  }

  const said: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void said.push(line) });
  const db = openDatabase(path, { clock: systemClock, log });
  expect(new AgentStore(db, random, defaultOutboxBounds).storeId).not.toBe(storeId);
  db.close();
  expect(said.join('')).toContain('agent.database_corrupt');
  expect(readdirSync(folder.path).filter((name) => /^agent\.sqlite\.\d{4}-/.test(name))).toHaveLength(1);
});

test('a sound database is opened as it is, readable by its owner only', () => {
  using folder = temporaryFolder('open-database');
  const path = join(folder.path, 'agent.sqlite');
  const first = openDatabase(path, { clock: systemClock, log: silentLogger() });
  const { storeId } = new AgentStore(first, random, defaultOutboxBounds);
  first.close();
  const second = openDatabase(path, { clock: systemClock, log: silentLogger() });
  expect(new AgentStore(second, random, defaultOutboxBounds)).toMatchObject({ storeId, epoch: 2 });
  second.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

describe('before the schema changes', () => {
  const copiesIn = (folder: string) => readdirSync(folder).filter((name) => name.includes('.before-'));
  const later = (count: number) => [
    ...migrations,
    ...Array.from({ length: count }, (_, index) => `CREATE TABLE later_${index} (a TEXT)`),
  ];

  test('one copy of the last schema is kept, whole, for its owner only', () => {
    using folder = temporaryFolder('open-database');
    const path = join(folder.path, 'agent.sqlite');
    for (const steps of [migrations, later(1), later(2)]) {
      const db = openDatabase(path, { clock: systemClock, log: silentLogger(), steps });
      migrate(db, steps);
      db.prepare(`INSERT OR REPLACE INTO kv VALUES ('aliveAt', ?)`).run(String(steps.length));
      db.close();
    }
    const name = `agent.sqlite.before-schema-${migrations.length + 2}`;
    expect(copiesIn(folder.path)).toEqual([name]);
    const copy = openSqlite(join(folder.path, name));
    expect(copy.pragma('user_version', { simple: true })).toBe(migrations.length + 1);
    expect(copy.prepare(`SELECT value FROM kv WHERE key = 'aliveAt'`).pluck().get()).toBe(
      String(migrations.length + 1),
    );
    copy.close();
    expect(statSync(join(folder.path, name)).mode & 0o777).toBe(0o600);
  });

  test('a copy that cannot be made is said, and nothing else', () => {
    using folder = temporaryFolder('open-database');
    const path = join(folder.path, 'agent.sqlite');
    const options = { clock: systemClock, log: silentLogger() };
    const first = openDatabase(path, options);
    migrate(first);
    first.close();
    mkdirSync(join(folder.path, `agent.sqlite.before-schema-${migrations.length + 1}`, 'in the way'), {
      recursive: true,
    });
    const said: string[] = [];
    const log = pino({ base: null }, { write: (line: string) => void said.push(line) });
    openDatabase(path, { ...options, log, steps: later(1) }).close();
    expect(said.join('')).toContain('agent.database_not_copied');
    expect(readdirSync(folder.path)).not.toContain('agent.sqlite.copy');
  });

  test('what a newer agent made unreadable is neither moved nor copied', () => {
    using folder = temporaryFolder('open-database');
    const path = join(folder.path, 'agent.sqlite');
    const newer = [...migrations, { sql: 'DROP TABLE questions', needs: migrations.length + 1 }];
    const db = openDatabase(path, { clock: systemClock, log: silentLogger(), steps: newer });
    migrate(db, newer);
    db.close();
    const before = readdirSync(folder.path);
    expect(() => openDatabase(path, { clock: systemClock, log: silentLogger() })).toThrow(DatabaseTooNew);
    expect(readdirSync(folder.path)).toEqual(before);
  });
});
