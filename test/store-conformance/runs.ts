import { describe, expect } from 'vitest';
import { type Conform, completion, failure } from './world.ts';

const none = { SCHEDULED: 0, PENDING: 0, IN_PROGRESS: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0, EXPIRED: 0 };

export const describeRuns = (conform: Conform) =>
  describe('runs', () => {
    conform('a run is read as it was made, within its organization', async (world) => {
      await world.device('fw');
      const values = {
        rollout: { batch: '10%', canary: 1 },
        skipped: [{ deviceName: 'old', reason: 'DISABLED' }],
        total: 2,
        createdAt: 5,
        scheduledAt: 100,
        parameters: '{"a":1}',
      };
      await world.run('run', values);
      await world.insert({ runId: 'run', status: 'SCHEDULED' });
      expect(await world.store.runs.get('home', 'run')).toEqual({
        id: 'run',
        organizationId: 'home',
        organizationName: 'home',
        type: 'PING',
        trigger: 'manual',
        createdBy: 'ops@example.org',
        ...values,
        schedule: null,
        retryOf: null,
        retries: null,
        retryOpen: false,
        agentStatus: null,
        stoppedAt: null,
        stoppedReason: null,
        counts: { ...none, SCHEDULED: 1 },
        completedAt: null,
      });
      expect((await world.store.runs.get(undefined, 'run'))?.id).toBe('run');
      expect(await world.store.runs.get('away', 'run')).toBeUndefined();
      expect(await world.store.runs.get('home', 'nobody')).toBeUndefined();
    });

    conform('several are read at once, those that there are in the organization', async (world) => {
      await world.run('one');
      await world.run('two');
      const { runs } = world.store;
      const ids = (await runs.getMany('home', ['two', 'one', 'nobody'])).map(({ id }) => id);
      expect(ids.sort()).toEqual(['one', 'two']);
      expect(await runs.getMany('home', [])).toEqual([]);
      expect(await runs.getMany('away', ['one'])).toEqual([]);
    });

    conform('a run counts its tasks by state, and is over when the last one ended', async (world) => {
      await world.device('fw');
      await world.run('run');
      const [expiring, cancelled] = await world.insert({ runId: 'run', expiresAt: 15 }, { runId: 'run' });
      const first = await world.started({ runId: 'run' });
      const second = await world.started({ runId: 'run' });
      await world.completed();
      const { tasks, runs } = world.store;
      await tasks.expire(15, 10, { runs: [], onlineDevices: [] });
      await tasks.finish([failure(second)], 90);
      expect(await runs.get('home', 'run')).toMatchObject({
        counts: { ...none, EXPIRED: 1, PENDING: 1, IN_PROGRESS: 1, FAILED: 1 },
        completedAt: null,
      });
      await tasks.finish([completion(first)], 40);
      await tasks.cancelWaiting([cancelled!.id], 50);
      expect(await runs.get('home', 'run')).toMatchObject({
        counts: { ...none, EXPIRED: 1, COMPLETED: 1, FAILED: 1, CANCELLED: 1 },
        completedAt: 90,
      });
      expect(await world.status(expiring!)).toBe('EXPIRED');
    });

    conform('a run for nobody was over when it was made', async (world) => {
      await world.run('run', { total: 0, createdAt: 7 });
      expect(await world.store.runs.get('home', 'run')).toMatchObject({ counts: none, completedAt: 7 });
    });

    conform('runs are listed newest first, in pages, with their counts', async (world) => {
      await world.device('fw');
      for (const at of [1, 3, 3, 2]) await world.run(`run-${at}-${Math.random()}`, { createdAt: at });
      await world.run('of-away', { organizationId: 'away' });
      await world.run('newest', { createdAt: 9 });
      await world.completed({ runId: 'newest' });
      const { items, total } = await world.store.runs.list('home', { page: 1, perPage: 3 });
      expect(total).toBe(5);
      expect(items.map(({ createdAt }) => createdAt)).toEqual([9, 3, 3]);
      expect(items[0]).toMatchObject({ id: 'newest', counts: { ...none, COMPLETED: 1 } });
      const rest = await world.store.runs.list('home', { page: 2, perPage: 3 });
      expect(rest.items.map(({ createdAt }) => createdAt)).toEqual([2, 1]);
    });

    conform('the tasks of a run are found by state, in order of creation', async (world) => {
      await world.device('fw');
      await world.run('run');
      const running = await world.started({ runId: 'run' });
      const [pending, scheduled] = await world.insert(
        { runId: 'run' },
        { runId: 'run', status: 'SCHEDULED' },
      );
      await world.insert({});
      const { runs } = world.store;
      expect(await runs.taskIds('run', ['SCHEDULED', 'PENDING'])).toEqual([pending!.id, scheduled!.id]);
      expect(await runs.taskIds('run', ['IN_PROGRESS'])).toEqual([running.id]);
      expect(await runs.taskIds('run', [])).toEqual([]);
    });

    conform('devices that never ran it are named with the reason', async (world) => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) await world.device(name);
      await world.run('run');
      const { tasks, runs } = world.store;
      const [stopped, wished, busy] = await world.insert(
        { runId: 'run', deviceId: 'a' },
        { runId: 'run', deviceId: 'b' },
        { runId: 'run', deviceId: 'c', expiresAt: 15 },
      );
      await world.insert({ runId: 'run', deviceId: 'd', expiresAt: 15 });
      await world.completed({ runId: 'run', deviceId: 'e' }, 12);
      await tasks.noteRefusal([{ ...busy!, message: 'disk_full' }], 12);
      await tasks.cancelWaiting([stopped!.id], 13, {
        errorCode: 'rollout_stopped',
        errorMessage: 'Too many failed',
      });
      await tasks.cancelWaiting([wished!.id], 13);
      await tasks.expire(15, 10, { runs: [], onlineDevices: [] });
      expect(await runs.notRun('run', 10)).toEqual([
        { deviceName: 'a', reason: 'Too many failed' },
        { deviceName: 'c', reason: 'expired: disk_full' },
        { deviceName: 'd', reason: 'expired' },
      ]);
      expect(await runs.notRun('run', 1)).toHaveLength(1);
    });

    conform('rollouts are open until they are stopped or closed', async (world) => {
      await world.device('fw');
      const { runs } = world.store;
      await world.run('plain');
      for (const id of ['a', 'b', 'c']) await world.run(id, { rollout: { batch: '1' }, total: 2 });
      await world.started({ runId: 'b' });
      expect(await runs.openRollouts()).toEqual([
        { id: 'a', rollout: { batch: '1' }, total: 2, counts: none },
        { id: 'b', rollout: { batch: '1' }, total: 2, counts: { ...none, IN_PROGRESS: 1 } },
        { id: 'c', rollout: { batch: '1' }, total: 2, counts: none },
      ]);
      expect(await runs.stop('a', 'a canary failed', 20)).toBe(true);
      await runs.closeRollouts(['c', 'nobody']);
      await runs.closeRollouts([]);
      expect((await runs.openRollouts()).map(({ id }) => id)).toEqual(['b']);
      expect(await runs.get('home', 'a')).toMatchObject({ stoppedAt: 20, stoppedReason: 'a canary failed' });
      expect(await runs.get('home', 'c')).toMatchObject({ stoppedAt: null, stoppedReason: null });
    });

    conform('a run is stopped once, and not when it is closed', async (world) => {
      const { runs } = world.store;
      await world.run('a', { rollout: { batch: '1' } });
      await world.run('b', { rollout: { batch: '1' } });
      await world.run('plain');
      await runs.closeRollouts(['b']);
      const stops = await Promise.all([runs.stop('a', 'first', 1), runs.stop('a', 'second', 2)]);
      expect(stops).toEqual([true, false]);
      expect(await runs.stop('b', 'late', 3)).toBe(false);
      expect(await runs.stop('nobody', 'x', 3)).toBe(false);
      expect(await runs.stop('plain', 'somebody wished it', 3)).toBe(true);
      expect((await runs.get('home', 'a'))?.stoppedReason).toBe('first');
    });

    conform('pruning deletes old runs that have no task left', async (world) => {
      await world.device('fw');
      const { runs, tasks } = world.store;
      await world.run('empty', { createdAt: 1 });
      await world.run('full', { createdAt: 1 });
      await world.run('young', { createdAt: 50 });
      await world.completed({ runId: 'full' }, 20);
      expect(await runs.prune(50)).toBe(1);
      expect(await runs.get('home', 'empty')).toBeUndefined();
      await tasks.prune(50, 10);
      expect(await runs.prune(50)).toBe(1);
      expect(await runs.get('home', 'young')).toBeDefined();
    });
  });
