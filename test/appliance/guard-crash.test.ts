import { expect, test } from 'vitest';
import { isUntouched } from '../../shared/transaction.ts';
import { confirmedState, TransactionUnderTest, writeCrashFiles } from '../harness/linux-transaction.ts';
import { CrashRig } from '../harness/transaction-crash.ts';

const victims = ['both', 'agent', 'guard'] as const;
/** So many transactions at a time. */
const lanes = 3;

interface Story {
  at: number;
  kills: number;
  mixedInBetween: boolean;
  last: string;
  wrong: unknown;
}

/** What the device looks like before the transaction and after it. */
async function bothSides(): Promise<{ old: string; new: string; events: number }> {
  using device = new TransactionUnderTest();
  writeCrashFiles(device);
  const old = JSON.stringify(device.look());
  const rig = new CrashRig(device.path, { at: 0, victim: 'both' });
  expect(await rig.runTransaction()).toEqual({ killed: false, stdout: 'confirmed\n' });
  return { old, new: JSON.stringify(device.look()), events: rig.events };
}

/** One transaction that is killed at its n-th touch of the disk, recoveries that are killed too, and the recovery after those. */
async function crash(at: number, again: number[], sides: { old: string; new: string }): Promise<Story> {
  using device = new TransactionUnderTest();
  writeCrashFiles(device);
  const victim = victims[at % victims.length] ?? 'both';
  await new CrashRig(device.path, { at, victim }).runTransaction();
  let kills = 1;
  const between = JSON.stringify(device.look());

  const pending = await device.machine.pending();
  const last = (await pending?.journal())?.at(-1)?.state;
  if (last && !isUntouched(last)) {
    for (const step of again) {
      const recovery = new CrashRig(device.path, { at: step, victim: 'guard' });
      if ((await recovery.rollBack(device.transactions('first'))).killed) kills++;
    }
    await pending?.rollBack('after the kills');
  } else {
    await pending?.append('REJECTED', 'interrupted');
  }

  const journal = (await (await device.machine.find('first'))?.journal()) ?? [];
  const end = journal.at(-1)?.state ?? 'nothing';
  const look = JSON.stringify(device.look());
  const wanted = end === 'CONFIRMED' ? sides.new : sides.old;
  const confirmed = end === 'CONFIRMED' ? confirmedState('first') : undefined;
  const isRight =
    look === wanted &&
    JSON.stringify(await device.machine.confirmed()) === JSON.stringify(confirmed) &&
    (await device.machine.pending()) === undefined &&
    end !== 'ROLLBACK_FAILED';
  const wrong = isRight ? undefined : { at, victim, journal, look };
  return { at, kills, mixedInBetween: between !== sides.old && between !== sides.new, last: end, wrong };
}

test('killed at every touch of the disk, and again in the recovery, the machine is all old or all new', async () => {
  const sides = await bothSides();
  // Every step of the transaction, with one kill in the recovery; then every step of the recovery, with one more.
  const plans = Array.from({ length: sides.events }, (_, at) => ({
    at: at + 1,
    again: [1 + ((at * 7) % 50)],
  }));
  const late = sides.events - 30; // everything is in its place
  for (let step = 1; step <= 60; step++) plans.push({ at: late, again: [step, 1 + ((step * 11) % 60)] });
  const stories: Story[] = [];
  const lane = async (): Promise<void> => {
    for (let plan = plans.pop(); plan; plan = plans.pop()) {
      stories.push(await crash(plan.at, plan.again, sides));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));

  expect(stories.flatMap(({ wrong }) => wrong ?? [])).toEqual([]);
  expect(stories.reduce((sum, { kills }) => sum + kills, 0)).toBeGreaterThanOrEqual(300);
  // The test bites: without a recovery, many of them would have stayed neither old nor new.
  expect(stories.filter(({ mixedInBetween }) => mixedInBetween).length).toBeGreaterThan(20);
  expect(new Set(stories.map(({ last }) => last))).toEqual(
    new Set(['nothing', 'REJECTED', 'ROLLED_BACK', 'CONFIRMED']),
  );
}, 900_000);
