import { expect, test } from 'vitest';
import { silentLogger } from '../../shared/node/logger.ts';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import { seededRandom } from '../../test/simulation/random.ts';
import { AgentStore } from '../store/agent-store.ts';
import { defaultOutboxBounds } from '../store/log-bounds.ts';
import { FactsKeeper } from './facts.ts';

async function keep(collected: (Record<string, unknown> | Error)[], db = openSqlite(':memory:')) {
  const clock = new TestClock();
  const store = new AgentStore(db, seededRandom('facts'), defaultOutboxBounds);
  const digests: (string | undefined)[] = [];
  const facts = {
    async collect() {
      const next = collected.shift() ?? {};
      if (next instanceof Error) throw next;
      return next;
    },
  };
  const keeper: FactsKeeper = new FactsKeeper({ facts, store, clock, log: silentLogger() }, () =>
    digests.push(keeper.sheet?.digest),
  );
  const stop = new AbortController();
  const running = keeper.run(stop.signal).catch(() => undefined);
  while (collected.length > 0) await clock.advance(60 * 60_000);
  stop.abort(new Error('done'));
  await running;
  return { keeper, digests };
}

test('the order in which facts are collected is no change', async () => {
  const { digests } = await keep([{ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }, { a: 2 }]);
  expect(digests).toHaveLength(2);
  expect(digests[0]).toMatch(/^[0-9a-f]{64}$/);
});

test('facts that cannot be collected leave those known, and are tried again', async () => {
  const { keeper, digests } = await keep([{ a: 1 }, new Error('dmidecode is missing'), { a: 2 }]);
  expect(digests).toHaveLength(2);
  expect(keeper.sheet?.facts).toEqual({ a: 2 });
});

test('facts too long for a frame are left out', async () => {
  const { keeper } = await keep([{ novel: 'x'.repeat(300_000) }]);
  expect(keeper.sheet).toBeUndefined();
});

test('the next process knows the facts of the last one', async () => {
  const db = openSqlite(':memory:');
  const first = await keep([{ a: 1 }], db);
  const store = new AgentStore(db, seededRandom('facts'), defaultOutboxBounds);
  const later = new FactsKeeper(
    { facts: { collect: async () => ({}) }, store, clock: new TestClock(), log: silentLogger() },
    () => undefined,
  );
  expect(later.sheet).toEqual(first.keeper.sheet);
});
