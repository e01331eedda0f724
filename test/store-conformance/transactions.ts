import { describe, expect } from 'vitest';
import { type Conform, completion } from './world.ts';

export const describeTransactions = (conform: Conform) =>
  describe('transactions', () => {
    conform('all is committed together, and what work returns is returned', async ({ store }) => {
      const answer = await store.transaction(async (tables) => {
        await tables.settings.set('a', '1');
        await tables.settings.set('b', '2');
        return `${await tables.settings.get('a')}${await tables.settings.get('b')}`;
      });
      expect(answer).toBe('12');
      expect(await store.settings.get('b')).toBe('2');
    });

    conform('when work throws, nothing remains and the error is passed on', async (world) => {
      await world.device('fw');
      const task = await world.started();
      const failure = new Error('the flush failed');
      const work = world.store.transaction(async ({ tasks, events, settings }) => {
        expect(await tasks.finish([completion(task)], 20)).toHaveLength(1);
        await events.append([
          {
            type: 'task.completed',
            at: 20,
            organizationId: 'home',
            deviceId: 'fw',
            taskId: task.id,
            runId: null,
            data: {},
          },
        ]);
        await settings.reserve('sequence', 10);
        throw failure;
      });
      await expect(work).rejects.toBe(failure);
      expect(await world.status(task)).toBe('IN_PROGRESS');
      expect(await world.store.events.range()).toEqual({ oldest: 0, newest: 0 });
      expect(await world.store.settings.reserve('sequence', 1)).toBe(1);
    });

    conform('when a statement fails, all of it is undone and the next transaction works', async (world) => {
      await world.device('fw');
      const work = world.store.transaction(async ({ settings, tasks }) => {
        await settings.set('a', '1');
        await tasks.insert([world.task({ deviceId: 'nobody' })]);
      });
      await expect(work).rejects.toThrow();
      expect(await world.store.settings.get('a')).toBeUndefined();
      await world.store.transaction(({ settings }) => settings.set('a', '2'));
      expect(await world.store.settings.get('a')).toBe('2');
    });

    conform('a foreseen refusal inside may be caught, and the rest is kept', async (world) => {
      await world.device('fw');
      await world.device('other');
      await world.store.transaction(async ({ devices, settings }) => {
        await settings.set('a', '1');
        await expect(devices.rename('other', 'fw', 1)).rejects.toMatchObject({ code: 'name_taken' });
      });
      expect(await world.store.settings.get('a')).toBe('1');
    });

    conform('calls beside a transaction neither see it nor are part of it', async (world) => {
      const { store } = world;
      const inside = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const work = store.transaction(async ({ settings }) => {
        await settings.set('a', 'inside');
        inside.resolve();
        await goOn.promise;
        throw new Error('undone');
      });
      await inside.promise;
      const beside = [store.settings.set('b', 'beside'), store.settings.get('a')];
      goOn.resolve();
      await expect(work).rejects.toThrow('undone');
      expect(await Promise.all(beside)).toEqual([undefined, undefined]);
      expect(await store.settings.get('b')).toBe('beside');
    });

    conform('transactions that overlap happen one after the other', async ({ store }) => {
      await store.settings.set('n', '0');
      const increments = Array.from({ length: 20 }, () =>
        store.transaction(async ({ settings }) => {
          const n = Number(await settings.get('n'));
          await settings.set('n', String(n + 1));
        }),
      );
      await Promise.all(increments);
      expect(await store.settings.get('n')).toBe('20');
    });

    conform(
      'results and the sequence they came with are applied exactly once, or not at all',
      async (world) => {
        await world.device('fw');
        const { devices } = world.store;
        await devices.saveHellos([
          {
            deviceId: 'fw',
            agentVersion: '1',
            taskTypes: [],
            slots: {},
            bootId: 'b',
            instanceId: 'i',
            epoch: 1,
            connection: 1,
            storeId: 's',
            at: 1,
          },
        ]);
        const task = await world.started();
        const apply = (seq: number, fails: boolean) =>
          world.store.transaction(async (tables) => {
            const [known] = await tables.devices.deviceStores(['fw']);
            if ((known?.appliedSeq ?? 0) >= seq) return 0;
            await tables.devices.advance([{ deviceId: 'fw', storeId: 's', seq }]);
            const moves = await tables.tasks.finish([completion(task)], 20);
            if (fails) throw new Error('the disk is full');
            return moves.length;
          });
        await expect(apply(5, true)).rejects.toThrow('disk');
        expect((await devices.deviceStores(['fw']))[0]?.appliedSeq).toBe(0);
        expect(await Promise.all([apply(5, false), apply(5, false), apply(5, false)])).toEqual([1, 0, 0]);
      },
    );
  });
