import { describe, expect } from 'vitest';
import type { Conform } from './world.ts';

/** Looking for work, and for what is being worked on. */
export const describeTaskWork = (conform: Conform) =>
  describe('tasks to hand out', () => {
    conform(
      'the oldest of each device and lane are offered, each once, at most as many as wanted',
      async (world) => {
        await world.device('fw');
        await world.device('other');
        const made = await world.insert(
          {},
          { lane: 'script', type: 'SCRIPT' },
          {},
          { deviceId: 'other' },
          {},
          { lane: 'script', type: 'SCRIPT' },
          { deviceId: 'other' },
        );
        const heads = await world.store.tasks.heads(
          [
            { deviceId: 'fw', lane: 'script', count: 1 },
            { deviceId: 'other', lane: 'read', count: 5 },
            { deviceId: 'fw', lane: 'read', count: 2 },
            { deviceId: 'fw', lane: 'exclusive', count: 1 },
            { deviceId: 'nobody', lane: 'read', count: 1 },
          ],
          10,
          [],
        );
        expect(heads.map(({ code }) => code)).toEqual([0, 1, 2, 3, 6].map((at) => made[at]?.code));
        expect(heads[0]).toEqual({
          id: made[0]!.id,
          code: made[0]!.code,
          seq: (await world.row(made[0]!)).seq,
          deviceId: 'fw',
          runId: null,
          type: 'PING',
          lane: 'read',
          parameters: '{}',
          timeoutMs: 500,
          force: false,
          expiresAt: 1000,
        });
      },
    );

    conform('nothing wanted is nothing offered', async (world) => {
      await world.device('fw');
      await world.insert({});
      expect(await world.store.tasks.heads([], 10, [])).toEqual([]);
      expect(await world.store.tasks.heads([{ deviceId: 'fw', lane: 'read', count: 0 }], 10, [])).toEqual([]);
    });

    conform('only what is PENDING and not expired is offered', async (world) => {
      await world.device('fw');
      await world.insert({ status: 'SCHEDULED', scheduledAt: 1 }, { expiresAt: 10 });
      await world.started();
      await world.completed();
      const [task] = await world.insert({ expiresAt: 11, force: true });
      const heads = await world.store.tasks.heads([{ deviceId: 'fw', lane: 'read', count: 9 }], 10, []);
      expect(heads).toMatchObject([{ code: task!.code, force: true }]);
    });

    conform('what a run holds back does not hide what is behind it', async (world) => {
      await world.device('fw');
      await world.run('held');
      await world.run('free');
      await world.insert({ runId: 'held' }, { runId: 'held' });
      const [free, none] = await world.insert({ runId: 'free' }, {});
      const heads = await world.store.tasks.heads([{ deviceId: 'fw', lane: 'read', count: 2 }], 10, [
        'held',
        'x',
      ]);
      expect(heads.map(({ code }) => code)).toEqual([free!.code, none!.code]);
    });

    conform('devices with waiting tasks are known, all or among some', async (world) => {
      for (const name of ['a', 'b', 'c', 'd']) await world.device(name);
      await world.insert({ deviceId: 'a' }, { deviceId: 'a', lane: 'script' }, { deviceId: 'c' });
      await world.insert({ deviceId: 'd', status: 'SCHEDULED' });
      await world.started({ deviceId: 'b' });
      const { tasks } = world.store;
      expect((await tasks.devicesWithPending()).sort()).toEqual(['a', 'c']);
      expect(await tasks.devicesWithPending(['b', 'c', 'd', 'c', 'nobody'])).toEqual(['c']);
      expect(await tasks.devicesWithPending([])).toEqual([]);
    });

    conform('what a device works on is listed, for these devices only', async (world) => {
      await world.device('fw');
      await world.device('other');
      const first = await world.started();
      const second = await world.started({ lane: 'script' });
      await world.started({ deviceId: 'other' });
      await world.insert({});
      await world.completed();
      const rows = await world.store.tasks.inProgress(['fw', 'nobody', 'fw']);
      expect(rows.map(({ code }) => code)).toEqual([first.code, second.code]);
      expect(rows[0]).toEqual(await world.row(first));
      expect(await world.store.tasks.inProgress([])).toEqual([]);
    });

    conform('tasks are read by the device that holds them and their code, each once', async (world) => {
      await world.device('fw');
      await world.device('other');
      const [mine, theirs] = await world.insert({}, { deviceId: 'other' });
      const rows = await world.store.tasks.getMany([
        mine!,
        mine!,
        { deviceId: 'fw', code: theirs!.code },
        { deviceId: 'fw', code: 'nobody' },
      ]);
      expect(rows).toEqual([await world.row(mine!)]);
      expect(await world.store.tasks.getMany([])).toEqual([]);
    });
  });
