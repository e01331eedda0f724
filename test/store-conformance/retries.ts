import { describe, expect } from 'vitest';
import { type Conform, completion, failure } from './world.ts';

const page = { page: 1, perPage: 10 };

export const describeRetries = (conform: Conform) =>
  describe('retries', () => {
    conform(
      'failed tasks of runs that try again are told, until they were tried often enough',
      async (world) => {
        await world.device('fw');
        const { retries, tasks, runs } = world.store;
        await world.run('plain');
        await world.run('trying', { retries: { max: 1, delayMs: 30 } });
        const [first, other] = [
          await world.started({ runId: 'trying' }),
          await world.started({ runId: 'plain' }),
        ];
        expect(await retries.due(10)).toEqual([]);
        await tasks.finish([failure(first), failure(other)], 50);
        const due = await retries.due(10);
        expect(due.map(({ task: { code }, delayMs }) => [code, delayMs])).toEqual([[first.code, 30]]);
        expect(await runs.get('home', 'trying')).toMatchObject({ completedAt: null, retryOpen: true });
        expect(await retries.closeEnded()).toBe(0);

        await retries.supersede([first.id], 51);
        const again = await world.started({ runId: 'trying', retryOf: first.code, retryNumber: 1 });
        expect(await retries.due(10)).toEqual([]);
        expect(await runs.get('home', 'trying')).toMatchObject({ counts: { FAILED: 0, IN_PROGRESS: 1 } });
        await tasks.finish([failure(again)], 60);
        expect(await retries.due(10)).toEqual([]);
        expect(await retries.closeEnded()).toBe(1);
        expect(await retries.openRuns()).toEqual([]);
        expect(await runs.get('home', 'trying')).toMatchObject({
          counts: { FAILED: 1 },
          completedAt: 60,
          retryOpen: false,
          retries: { max: 1, delayMs: 30 },
        });
      },
    );

    conform('a task is tried again once', async (world) => {
      await world.device('fw');
      const [first] = await world.insert({});
      await world.insert({ retryOf: first!.code, retryNumber: 1 }, { retryOf: first!.code });
      await expect(world.insert({ retryOf: first!.code, retryNumber: 1 })).rejects.toMatchObject({
        code: 'conflict',
      });
    });

    conform('what must not be tried again is not', async (world) => {
      await world.device('fw');
      await world.device('off', { status: 'DISABLED' });
      const { retries, tasks } = world.store;
      await world.run('trying', { retries: { max: 3, delayMs: 0 } });
      const reboot = await world.started({ runId: 'trying', type: 'REBOOT', lane: 'exclusive' });
      const away = await world.started({ runId: 'trying', deviceId: 'off' });
      const undone = await world.started({ runId: 'trying', type: 'SYNC', lane: 'exclusive' });
      const done = await world.started({ runId: 'trying' });
      await tasks.finish([failure(reboot), failure(away), completion(done)], 50);
      await tasks.finish([{ ...failure(undone), errorCode: 'rolled_back' }], 50);
      expect(await retries.due(10)).toEqual([]);
      expect(await retries.closeEnded()).toBe(1);
    });

    conform('a run that was closed or stopped tries nothing again', async (world) => {
      await world.device('fw');
      const { retries, tasks, runs } = world.store;
      for (const id of ['closed', 'stopped']) await world.run(id, { retries: { max: 3, delayMs: 0 } });
      const failed = [await world.started({ runId: 'closed' }), await world.started({ runId: 'stopped' })];
      await tasks.finish(failed.map(failure), 50);
      expect(await retries.due(10)).toHaveLength(2);
      await retries.close('closed');
      await runs.stop('stopped', 'too many failed', 60);
      expect(await retries.due(10)).toEqual([]);
    });
  });

export const describeRunSearch = (conform: Conform) =>
  describe('runs are searched', () => {
    conform('by type, trigger, schedule, time and the status they are shown with', async (world) => {
      await world.device('fw');
      const { runs, tasks } = world.store;
      const made = { schedule: { id: 'id', name: 'nightly', task: 'code' }, trigger: 'schedule' as const };
      await world.run('open', { ...made, createdAt: 1 });
      await world.run('good', { ...made, createdAt: 2, type: 'REBOOT' });
      await world.run('bad', { createdAt: 3, retryOf: 'good', trigger: 'retry' });
      await world.run('cancelled', { createdAt: 4 });
      await world.run('stopped', { createdAt: 5, rollout: { batch: '1' } });
      await world.run('trying', { createdAt: 6, retries: { max: 1, delayMs: 0 } });
      await world.run('nobody', { createdAt: 7, total: 0 });
      await world.insert({ runId: 'open' });
      await world.completed({ runId: 'good' });
      const failed = [await world.started({ runId: 'bad' }), await world.started({ runId: 'trying' })];
      await tasks.finish(failed.map(failure), 50);
      const [gone, halted] = await world.insert({ runId: 'cancelled' }, { runId: 'stopped' });
      await tasks.cancelWaiting([gone!.id, halted!.id], 50);
      await runs.stop('stopped', 'a canary failed', 50);
      const found = async (filter: object) =>
        (await runs.list({ organizationId: 'home', ...filter }, page)).items.map(({ id }) => id);
      expect(await found({ status: 'IN_PROGRESS' })).toEqual(['trying', 'open']);
      expect(await found({ status: 'COMPLETED' })).toEqual(['nobody', 'good']);
      expect(await found({ status: 'FAILED' })).toEqual(['bad']);
      expect(await found({ status: 'CANCELLED' })).toEqual(['cancelled']);
      expect(await found({ status: 'STOPPED' })).toEqual(['stopped']);
      expect(await found({ type: 'REBOOT' })).toEqual(['good']);
      expect(await found({ trigger: 'retry' })).toEqual(['bad']);
      expect(await found({ schedule: 'nightly' })).toEqual(['good', 'open']);
      expect(await found({ schedule: 'nightly', status: 'COMPLETED' })).toEqual(['good']);
      expect(await found({ createdAfter: 3, createdBefore: 5 })).toEqual(['cancelled', 'bad']);
      expect((await runs.list({ organizationId: 'home', status: 'FAILED' }, page)).total).toBe(1);
    });
  });
