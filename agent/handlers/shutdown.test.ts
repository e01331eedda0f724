import { expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { type DummyContext, dummyContext } from './dummy-context.ts';
import type { Interrupted } from './handler.ts';
import { shutdown } from './shutdown.ts';

const verbs = (context: DummyContext) => context.system.power.calls.map(({ verb }) => verb);

function recover(context: DummyContext, bootId: string) {
  const interrupted: Interrupted = {
    bootId,
    instanceId: 'instance-0',
    currentBootId: context.system.bootId,
    startedAt: 0,
  };
  return shutdown.recover?.({}, interrupted, context) ?? expect.unreachable();
}

test('says powering_off, waits for the commit, writes its note, and only then commands', async () => {
  const order: string[] = [];
  const context = dummyContext({
    reportPhase: async (phase) => void order.push(phase),
  });
  const write = context.journal.write.bind(context.journal);
  context.journal.write = (note) => {
    order.push('note');
    write(note);
  };
  context.system.power.powerOff = async () => {
    order.push('powerOff');
    context.abort(new TaskError('agent_stopping', 'the agent stops'));
  };
  await expect(shutdown.run({}, context)).rejects.toMatchObject({ code: 'agent_stopping' });
  expect(order).toEqual(['powering_off', 'note', 'powerOff']);
});

test('a report that does not get through leaves the machine up', async () => {
  const context = dummyContext({
    reportPhase: () => Promise.reject(new TaskError('timed_out', 'no controller')),
  });
  await expect(shutdown.run({}, context)).rejects.toMatchObject({ code: 'timed_out' });
  expect(verbs(context)).toEqual([]);
  expect(context.journal.note).toBeUndefined();
});

test('still up 60 s after the command: still_up', async () => {
  const context = dummyContext();
  context.system.power.ignored.add('powerOff');
  await expect(context.clock.through(shutdown.run({}, context))).rejects.toMatchObject({ code: 'still_up' });
  expect(context.clock.monotonic()).toBe(60_000);
});

test('the same boot returns: still_up, and no second command', async () => {
  const context = dummyContext();
  const bootId = context.system.bootId;
  context.journal.write({ bootId, commandedAt: context.clock.now() });
  await expect(context.clock.through(recover(context, bootId))).rejects.toMatchObject({ code: 'still_up' });
  expect(verbs(context)).toEqual([]);
});

test('another boot returns: completed', async () => {
  const context = dummyContext();
  const bootId = context.system.bootId;
  context.journal.write({ bootId, commandedAt: Date.UTC(2026, 0, 1, 12) });
  context.system.power.powerCut();
  expect(await recover(context, bootId)).toEqual({
    powering_off_at: '2026-01-01T12:00:00.000Z',
    link_closed_at: null,
    boot_id: context.system.bootId,
  });
});

test('a crash before the command: interrupted, and the machine is never told', async () => {
  const context = dummyContext();
  await expect(recover(context, context.system.bootId)).rejects.toMatchObject({ code: 'interrupted' });
  expect(verbs(context)).toEqual([]);
});
