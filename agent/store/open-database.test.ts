import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { silentLogger } from '../../shared/node/logger.ts';
import { systemClock } from '../../shared/node/system-clock.ts';
import { seededRandom } from '../../test/simulation/random.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { AgentStore } from './agent-store.ts';
import { defaultOutboxBounds } from './log-bounds.ts';
import { openDatabase } from './open-database.ts';

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
