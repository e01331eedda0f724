import { expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { type DummyContext, dummyContext } from './dummy-context.ts';
import type { Interrupted } from './handler.ts';
import { reboot } from './reboot.ts';

/** The next process on the same machine, with the same journal. */
function nextLife(before: DummyContext): DummyContext {
  const { clock, random, system, journal } = before;
  return dummyContext({ clock, random, system, journal, instanceId: 'instance-2' });
}

function interruption(bootId: string, now: DummyContext, startedAt: number): Interrupted {
  return { bootId, instanceId: 'instance-1', currentBootId: now.system.bootId, startedAt };
}

const recover = (context: DummyContext, interrupted: Interrupted) =>
  reboot.recover?.({}, interrupted, context) ?? expect.unreachable();

const verbs = (context: DummyContext) => context.system.power.calls.map(({ verb }) => verb);

/** Starts a REBOOT and abandons it, as a crash does, when the machine goes down. */
async function rebootOnce(context: DummyContext) {
  const bootId = context.system.bootId;
  const startedAt = context.clock.now();
  context.system.power.effectAfterMs = 5000;
  context.system.power.hooks = { onReboot: () => context.abort(new Error('process ended')) };
  const died = expect(context.clock.through(reboot.run({}, context))).rejects.toThrow('process ended');
  await died;
  return { bootId, startedAt };
}

test('the next boot completes it, with both boot ids and the time between', async () => {
  const context = dummyContext();
  const { bootId, startedAt } = await rebootOnce(context);
  await context.clock.advance(25_000);

  const now = nextLife(context);
  expect(await recover(now, interruption(bootId, now, startedAt))).toEqual({
    previous_boot_id: bootId,
    boot_id: now.system.bootId,
    downtime_ms: 30_000,
  });
  expect(verbs(context)).toEqual(['reboot']);
});

test('the note is on disk before the command, and a machine that refuses it has not rebooted', async () => {
  const context = dummyContext();
  const bootId = context.system.bootId;
  context.system.power.reboot = async () => {
    expect(context.journal.note).toMatchObject({ bootId });
    throw new TaskError('power_refused', 'Unit reboot.target is masked');
  };
  await expect(reboot.run({}, context)).rejects.toMatchObject({
    code: 'not_rebooted',
    message: 'Unit reboot.target is masked',
  });
});

test('a machine that ignores the command: not_rebooted at half of the time-out', async () => {
  const context = dummyContext({ timeoutMs: 600_000 });
  context.system.power.ignored.add('reboot');
  await expect(context.clock.through(reboot.run({}, context))).rejects.toMatchObject({
    code: 'not_rebooted',
  });
  expect(context.clock.monotonic()).toBe(300_000);
  expect(verbs(context)).toEqual(['reboot']);
});

test('a crash before the note: never commanded, also not by the next process', async () => {
  const context = dummyContext();
  const bootId = context.system.bootId;
  context.journal.write = () => {
    throw new Error('crash');
  };
  await expect(reboot.run({}, context)).rejects.toThrow('crash');

  const now = nextLife(context);
  await expect(recover(now, interruption(bootId, now, 0))).rejects.toMatchObject({ code: 'interrupted' });
  expect(verbs(context)).toEqual([]);
});

test('a crash between note and command: waits for the deadline, does not command, says not_rebooted', async () => {
  const context = dummyContext();
  const bootId = context.system.bootId;
  context.journal.write({ bootId, commandedAt: context.clock.now() });
  await context.clock.advance(50_000);

  const now = nextLife(context);
  const outcome = recover(now, interruption(bootId, now, 0));
  await expect(context.clock.through(outcome)).rejects.toMatchObject({ code: 'not_rebooted' });
  expect(context.clock.monotonic()).toBe(450_000);
  expect(verbs(context)).toEqual([]);
});

test('an agent that crashed while the machine was still going down sees the new boot later', async () => {
  const context = dummyContext();
  const bootId = context.system.bootId;
  context.system.power.effectAfterMs = 60_000;
  context.journal.write({ bootId, commandedAt: context.clock.now() });
  await context.system.power.reboot();

  const now = nextLife(context);
  const outcome = context.clock.through(recover(now, interruption(bootId, now, 0)));
  expect(await outcome).toMatchObject({ previous_boot_id: bootId, boot_id: now.system.bootId });
});

test.each([365 * 86_400_000, -365 * 86_400_000])(
  'a wall clock that jumps by %d ms neither lengthens the wait nor makes the downtime negative',
  async (jumpMs) => {
    const context = dummyContext();
    const bootId = context.system.bootId;
    context.journal.write({ bootId, commandedAt: context.clock.now() });
    context.clock.jump(jumpMs);
    const now = nextLife(context);
    const stuck = recover(now, interruption(bootId, now, 0));
    await expect(context.clock.through(stuck)).rejects.toMatchObject({ code: 'not_rebooted' });
    expect(context.clock.monotonic()).toBeLessThanOrEqual(450_000);

    context.system.power.powerCut();
    const done = await recover(now, interruption(bootId, now, 0));
    expect(done).toMatchObject({ downtime_ms: expect.toSatisfy((ms: number) => ms >= 0) });
  },
);

test('a power cut before the note is a new boot all the same', async () => {
  const context = dummyContext();
  const bootId = context.system.bootId;
  context.system.power.powerCut();
  const now = nextLife(context);
  expect(await recover(now, interruption(bootId, now, now.clock.now()))).toMatchObject({
    previous_boot_id: bootId,
    boot_id: now.system.bootId,
  });
  expect(verbs(context)).toEqual([]);
});

test('is not commanded when the task was aborted before', async () => {
  const context = dummyContext();
  context.abort(new TaskError('agent_stopping', 'the agent stops'));
  await expect(reboot.run({}, context)).rejects.toMatchObject({ code: 'agent_stopping' });
  expect(verbs(context)).toEqual([]);
  expect(context.journal.note).toBeUndefined();
});
