import { describe, expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import type { TransactionMachine } from './machine.ts';
import { aroundMachine } from '../../test/harness/around-machine.ts';
import { TransactionUnderTest } from '../../test/harness/transaction-under-test.ts';

const paths = ['/etc/firewall/rules.conf', '/etc/router/main.conf', '/etc/resolver/main.conf'];

async function device(): Promise<TransactionUnderTest> {
  const world = await TransactionUnderTest.start();
  for (const path of paths) world.machine.disk.files.edit(path, 'old\n', { mode: '0600' });
  world.machine.services.start();
  return world;
}

const orderOf = (world: TransactionUnderTest, texts: Partial<Record<string, string>> = {}) =>
  world.orders.order({
    files: paths.map((path) => world.orders.file({ path, text: texts[path] ?? 'new\n' })),
  });

/** Everything is as it was, files and services. */
function expectOld(world: TransactionUnderTest): void {
  expect(world.files).toEqual(Object.fromEntries(paths.map((path) => [path, 'old\n'])));
  for (const path of paths) expect(world.machine.disk.files.get(path)?.mode).toBe('0600');
  for (const { name } of world.profile.units) expect(world.machine.services.isCurrent(name)).toBe(true);
  expect(world.journal.at(-1)).toBe('ROLLED_BACK');
}

describe.each(paths)('a failure at the unit of %s', (path) => {
  test.each([
    ['RELOAD-FAILS', 'apply'],
    ['BREAKS', 'check'],
  ])('%s undoes all units at once', async (text, step) => {
    const world = await device();
    const startedMs = world.clock.monotonic();
    const end = await world.run(orderOf(world, { [path]: text }));

    expect(end).toMatchObject({
      code: 'rolled_back',
      result: { outcome: 'rolled_back', journal: 'ROLLED_BACK', on_disk: 'old' },
    });
    expectOld(world);
    expect(world.clock.monotonic() - startedMs).toBeLessThan(2_000); // not at the deadline
    if (end.kind !== 'failed') return;
    expect(end.result?.steps.find(({ ok }) => !ok)?.step).toBe(step);
    expect(end.result?.reason).toContain(path.split('/')[2]);
    expect(await world.machine.quarantined()).toEqual([end.result?.content]);
  });
});

test('a lock-out that nothing shows beforehand is undone within the window', async () => {
  const world = await device();
  const startedMs = world.clock.monotonic();
  const end = await world.run(orderOf(world, { [paths[0] as string]: 'LOCKS-OUT-NEW' }));

  expect(end).toMatchObject({ code: 'rolled_back', result: { on_disk: 'old' } });
  expectOld(world);
  expect(world.machine.services.lockedOut).toBe(false);
  expect(world.clock.monotonic() - startedMs).toBeLessThanOrEqual(60_000);
  if (end.kind === 'failed') expect(end.result?.probes.at(-1)?.ok).toBe(true); // reached again
});

test('answers that are forged, replayed or from somebody else confirm nothing', async () => {
  const world = await device();
  const order = orderOf(world);
  const forged = Array.from({ length: 200 }, () => ({ error: 'the answer is not signed by the controller' }));
  world.answers = [{ ok: true, phase: 'done' }, ...forged];

  expect(await world.run(order)).toMatchObject({
    code: 'rolled_back',
    message: expect.stringContaining('signature') as string,
  });
  expectOld(world);
});

test('one answer between failures is no steady connection', async () => {
  const world = await device();
  world.answers = [
    { ok: true, phase: 'done' },
    ...Array.from({ length: 200 }, (_, index) => ({ ok: index % 3 !== 0 })),
  ];
  expect(await world.run(orderOf(world))).toMatchObject({ code: 'rolled_back' });
  expectOld(world);
});

test('a connection that needs a while to settle is waited for', async () => {
  const world = await device();
  world.answers = [{ ok: true, phase: 'done' }, { ok: false }, { ok: true }, { ok: false }];
  expect(await world.run(orderOf(world))).toMatchObject({ result: { outcome: 'applied' } });
});

test('a confirmation after the deadline is none: the guard wins', async () => {
  const world = await device();
  const machine = delayed(world, 'workspace.confirm', 120_000);
  const end = await world.run(orderOf(world), machine);

  expect(end).toMatchObject({
    code: 'rolled_back',
    result: { journal: 'ROLLED_BACK', reason: 'not confirmed before the deadline' },
  });
  expectOld(world);
  expect(await world.machine.confirmed()).toBeUndefined();
});

test('an agent that was stopped for a while cannot go on after the guard has acted', async () => {
  const world = await device();
  const end = await world.run(orderOf(world), delayed(world, `workspace.install ${paths[1]}`, 120_000));
  expect(end).toMatchObject({ code: 'rolled_back' });
  expectOld(world);
});

test('confirmation and deadline race: one wins, and the files are what the journal says', async () => {
  for (let beforeMs = -10; beforeMs <= 10; beforeMs += 1) {
    const world = await device();
    const machine = aroundMachine(world.machine, async (what, call) => {
      if (what === 'workspace.confirm') {
        const { deadline } = [...world.machine.disk.transactions.values()][0] ?? {};
        const leftMs = (deadline?.uptimeMs ?? 0) - world.machine.uptimeMs();
        await world.clock.sleep(leftMs - beforeMs);
      }
      return call();
    });
    const end = await world.run(orderOf(world), machine);
    await world.clock.advance(120_000);
    const isNew = world.journal.at(-1) === 'CONFIRMED';
    expect(isNew).toBe(beforeMs > 0);
    expect(end).toMatchObject(isNew ? { kind: 'completed' } : { code: 'rolled_back' });
    expect(Object.values(world.files)).toEqual(paths.map(() => (isNew ? 'new\n' : 'old\n')));
    expect((await world.machine.confirmed()) !== undefined).toBe(isNew);
  }
});

test('a way back that fails says what is on the disk', async () => {
  const world = await device();
  const order = orderOf(world, { [paths[2] as string]: 'BREAKS' });
  const machine = aroundMachine(world.machine, async (what, call) => {
    if (what.startsWith('workspace.rollBack')) world.machine.commands.failing.add('router reload');
    return call();
  });
  expect(await world.run(order, machine)).toMatchObject({
    code: 'rollback_failed',
    message: expect.stringContaining('router reload') as string,
    result: { outcome: 'rollback_failed', journal: 'ROLLBACK_FAILED', on_disk: 'unknown' },
  });
});

describe('a wish to stop after the guard is armed', () => {
  /** Asks to stop when the machine is about to do this. */
  const stoppedAt = (world: TransactionUnderTest, step: string, reason: TaskError): TransactionMachine =>
    aroundMachine(world.machine, async (what, call) => {
      if (what.startsWith(step)) world.context.abort(reason);
      return call();
    });
  const steps = [
    'workspace.arm',
    'workspace.append APPLYING',
    'workspace.append APPLIED',
    'workspace.append PROBING',
  ];

  test.each(steps)('at %s: a cancelled transaction is undone and ends as cancelled', async (step) => {
    const world = await device();
    const reason = new TaskError('cancelled', 'It was cancelled');
    expect(await world.run(orderOf(world), stoppedAt(world, step, reason))).toMatchObject({
      code: 'cancelled',
    });
    expectOld(world);
    expect(await world.machine.quarantined()).toEqual([]);
  });

  test.each(['timed_out', 'agent_stopping'])('%s undoes it and tells what came of it', async (code) => {
    const world = await device();
    const machine = stoppedAt(world, 'workspace.append PROBING', new TaskError(code, 'it is over'));
    expect(await world.run(orderOf(world), machine)).toMatchObject({
      code: 'rolled_back',
      result: { outcome: 'rolled_back', reason: `${code}: it is over` },
    });
    expectOld(world);
    expect(await world.machine.quarantined()).toHaveLength(code === 'timed_out' ? 1 : 0);
  });

  test('comes too late once it is confirmed', async () => {
    const world = await device();
    const machine = stoppedAt(world, 'workspace.confirm', new TaskError('cancelled', 'It was cancelled'));
    expect(await world.run(orderOf(world), machine)).toMatchObject({ result: { outcome: 'applied' } });
  });
});

/** The same machine, on which one method takes its time before it begins. */
const delayed = (world: TransactionUnderTest, step: string, ms: number): TransactionMachine =>
  aroundMachine(world.machine, async (what, call) => {
    if (what === step) await world.clock.sleep(ms);
    return call();
  });
