import { describe, expect, test } from 'vitest';
import { aroundMachine } from '../../test/harness/around-machine.ts';
import { type SyncEnd, TransactionUnderTest } from '../../test/harness/transaction-under-test.ts';
import { endPendingTransaction } from './recover-transaction.ts';

const paths = ['/etc/firewall/a.conf', '/etc/firewall/b.conf', '/etc/router/main.conf'];

async function device(): Promise<TransactionUnderTest> {
  const world = await TransactionUnderTest.start();
  for (const path of paths) world.machine.disk.files.edit(path, 'old\n');
  world.machine.services.start();
  return world;
}

const orderOf = (world: TransactionUnderTest, text = 'new\n') =>
  world.orders.order({ files: paths.map((path) => world.orders.file({ path, text })) });

/** An agent that does so many things with its machine and dies before the next, or right after the last. */
class Mortal {
  #left: number;
  readonly #died = Promise.withResolvers<'died'>();
  readonly died = this.#died.promise;
  readonly #side: 'before' | 'after';
  what = '';

  constructor(steps: number, side: 'before' | 'after') {
    this.#left = steps;
    this.#side = side;
  }

  readonly around = async <Value>(what: string, call: () => Promise<Value>): Promise<Value> => {
    this.#left -= 1;
    if (this.#left > 0) return call();
    if (this.#left < 0) return new Promise(() => {});
    this.what = `${this.#side} ${what}`;
    if (this.#side === 'after') await call();
    this.#died.resolve('died');
    return new Promise(() => {});
  };
}

/** Kills the agent at every thing that it does with the machine, once before and once after it. */
async function* everyDeath(text?: string): AsyncGenerator<{ world: TransactionUnderTest; what: string }> {
  for (const side of ['before', 'after'] as const) {
    for (let steps = 1; ; steps += 1) {
      const world = await device();
      const mortal = new Mortal(steps, side);
      const work = world.begin(orderOf(world, text), aroundMachine(world.machine, mortal.around));
      const end = await world.clock.through(Promise.race([work, mortal.died]));
      if (end !== 'died') break;
      yield { world, what: mortal.what };
    }
  }
}

/** All old or all new, as the journal says, and no service works with something else. */
function expectWhole(world: TransactionUnderTest, what: string): void {
  const isNew = world.journal.at(-1) === 'CONFIRMED';
  const expected = Object.fromEntries(paths.map((path) => [path, isNew ? 'new\n' : 'old\n']));
  expect({ what, files: world.files }).toEqual({ what, files: expected });
  for (const { name } of world.profile.units) expect(world.machine.services.isCurrent(name)).toBe(true);
}

function expectTrue(end: SyncEnd, world: TransactionUnderTest): void {
  const last = world.journal.at(-1);
  if (end.kind === 'completed') expect(last).toBe('CONFIRMED');
  else if (end.kind === 'rerun') expect([undefined, 'REJECTED']).toContain(last);
  else
    expect({ last, ...end.result }).toMatchObject({
      last: 'ROLLED_BACK',
      outcome: 'rolled_back',
      on_disk: 'old',
    });
}

describe('an agent that is killed at any moment', () => {
  test('is succeeded by one that ends the transaction as the journal says', async () => {
    let deaths = 0;
    for await (const { world, what } of everyDeath()) {
      deaths += 1;
      world.newAgent();
      expectTrue(await world.recover(orderOf(world)), world);
      expectWhole(world, what);
    }
    expect(deaths).toBeGreaterThan(60);
  });

  test('is not missed: the guard undoes within the window what is not confirmed', async () => {
    for await (const { world, what } of everyDeath()) {
      await world.clock.advance(62_000);
      expectWhole(world, what);
      if (world.journal.includes('ARMED'))
        expect(['CONFIRMED', 'ROLLED_BACK']).toContain(world.journal.at(-1));
    }
  });

  test('and whose successor is killed while it undoes that', async () => {
    for await (const { world, what } of everyDeath('BREAKS\n')) {
      for (let steps = 1; ; steps += 1) {
        world.newAgent();
        const mortal = new Mortal(steps, 'before');
        const machine = aroundMachine(world.machine, mortal.around);
        const end = await world.clock.through(
          Promise.race([world.recover(orderOf(world), machine), mortal.died]),
        );
        if (end !== 'died') break;
      }
      expectWhole(world, what);
    }
  });
});

describe('a power cut at any moment', () => {
  test('leaves a machine whose services start with the old files, or the confirmed new ones', async () => {
    for await (const { world, what } of everyDeath()) {
      await world.powerCut();
      expectWhole(world, what);
      world.newAgent();
      expectTrue(await world.recover(orderOf(world)), world);
      expectWhole(world, what);
    }
  });

  test('also between the writes of the guard, and again while the boot puts files back', async () => {
    for (let steps = 1; ; steps += 1) {
      const world = await device();
      const cut = Promise.withResolvers<'cut'>();
      let left = steps;
      world.steps.pass = async () => {
        left -= 1;
        if (left > 0) return;
        cut.resolve('cut');
        await new Promise(() => {});
      };
      const work = world.begin(orderOf(world));
      if ((await world.clock.through(Promise.race([work, cut.promise]))) !== 'cut') {
        expect(steps).toBeGreaterThan(10);
        break;
      }
      await world.powerCut();
      expectWhole(world, `after ${steps} writes`);
    }
  });
});

test('what is found out of a confirmed transaction after a crash is its result', async () => {
  const world = await device();
  const mortal = { calls: 0 };
  const died = Promise.withResolvers<'died'>();
  const machine = aroundMachine(world.machine, async (what, call) => {
    const value = await call();
    if (what !== 'workspace.confirm') return value;
    mortal.calls += 1;
    died.resolve('died');
    return new Promise(() => {});
  });
  await world.clock.through(Promise.race([world.begin(orderOf(world), machine), died.promise]));
  world.newAgent();

  const end = await world.recover(orderOf(world));
  expect(end).toMatchObject({
    kind: 'completed',
    result: { outcome: 'applied', journal: 'CONFIRMED', changes_total: 3, on_disk: 'new' },
  });
  if (end.kind !== 'completed') return;
  expect(end.result.steps.map(({ step }) => step)).toContain('probe');
  expect(end.result.units['firewall']).toBeDefined();
});

test('a rejection that nobody heard of is told again', async () => {
  const world = await device();
  const order = orderOf(world, 'INVALID\n');
  const first = await world.run(order);
  world.newAgent();
  expect(await world.recover(order)).toMatchObject({
    code: 'rejected_validate',
    message: first.kind === 'failed' ? first.message : '',
    result: { outcome: 'rejected', rejected_at: 'validate', changes_total: 3 },
  });
});

test('a transaction that was interrupted before it touched anything is tried again under another name', async () => {
  const world = await device();
  const died = Promise.withResolvers<'died'>();
  const machine = aroundMachine(world.machine, async (what, call) => {
    if (!what.includes('RENDERED')) return call();
    died.resolve('died');
    return new Promise(() => {});
  });
  await world.clock.through(Promise.race([world.begin(orderOf(world), machine), died.promise]));
  world.newAgent();
  expect(await world.recover(orderOf(world))).toEqual({ kind: 'rerun' });
  expect(await world.run(orderOf(world))).toMatchObject({ result: { outcome: 'applied' } });
  expect([...world.machine.disk.transactions.keys()]).toEqual(['aB3dE6gH', 'aB3dE6gH-2']);
});

test('a transaction of a task that nobody knows any more is ended at the start of the agent', async () => {
  for await (const { world, what } of everyDeath()) {
    const said = await endPendingTransaction(world.machine);
    expectWhole(world, what);
    expect(await world.machine.pending()).toBeUndefined();
    const wasUndone = world.journal.at(-1) === 'ROLLED_BACK';
    expect(said === undefined).toBe(['CONFIRMED', undefined].includes(world.journal.at(-1)));
    expect(await world.machine.quarantined()).toHaveLength(wasUndone ? 1 : 0);
  }
});
