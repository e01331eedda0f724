import { expect, test } from 'vitest';
import { dummyContext } from './dummy-context.ts';
import { restart } from './restart.ts';

test('the note is on disk before the command', async () => {
  const context = dummyContext();
  context.system.power.restartAgent = async () => {
    expect(context.journal.note).toMatchObject({ instanceId: 'instance-1' });
    context.abort(new Error('process ended'));
  };
  await expect(restart.run({}, context)).rejects.toThrow('process ended');
});

test('a new process on the same boot completes it', async () => {
  const context = dummyContext({ instanceId: 'instance-2' });
  context.journal.write({ instanceId: 'instance-1', commandedAt: 0 });
  const bootId = context.system.bootId;
  const interrupted = { bootId, instanceId: 'instance-1', currentBootId: bootId, startedAt: 0 };
  expect(await restart.recover?.({}, interrupted, context)).toEqual({
    previous_instance_id: 'instance-1',
    instance_id: 'instance-2',
  });
  expect(context.system.power.calls).toEqual([]);
});

test('another boot is not a restart: interrupted', async () => {
  const context = dummyContext({ instanceId: 'instance-2' });
  const interrupted = {
    bootId: 'before',
    instanceId: 'instance-1',
    currentBootId: context.system.bootId,
    startedAt: 0,
  };
  await expect(restart.recover?.({}, interrupted, context)).rejects.toMatchObject({ code: 'interrupted' });
});

test('the same process at the deadline: not_restarted', async () => {
  const context = dummyContext({ timeoutMs: 600_000 });
  context.system.power.ignored.add('restartAgent');
  await expect(context.clock.through(restart.run({}, context))).rejects.toMatchObject({
    code: 'not_restarted',
  });
  expect(context.clock.monotonic()).toBe(300_000);
  expect(context.system.power.calls).toHaveLength(1);
});
