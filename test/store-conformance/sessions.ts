import { describe, expect } from 'vitest';
import type { NewSession } from '../../controller/store/sessions.ts';
import { lifeOf } from '../../controller/store/sessions.ts';
import { type Conform, completion, type World } from './world.ts';

const paging = { page: 1, perPage: 10 };

/** A session with a task of its own that has begun. */
async function session(world: World, values: Partial<NewSession> = {}): Promise<NewSession> {
  const task = await world.started({ type: 'CONNECT', lane: 'connect', createdAt: values.createdAt ?? 5 });
  const row: NewSession = {
    id: `s-${task.code}`,
    taskCode: task.code,
    organizationId: 'home',
    deviceId: 'fw',
    mode: 'full',
    openedBy: 'ops@example.org',
    tokenHash: 'hash',
    createdAt: 5,
    ...values,
  };
  await world.store.sessions.insert(row);
  return row;
}

export const describeSessions = (conform: Conform) =>
  describe('sessions', () => {
    conform(
      'a session is found by its id and by the code of its task, by its own organization only',
      async (world) => {
        await world.device('fw');
        const { id, taskCode } = await session(world);
        const { sessions } = world.store;
        expect(await sessions.get('home', id)).toMatchObject({
          id,
          taskCode,
          deviceName: 'fw',
          status: 'IN_PROGRESS',
        });
        expect((await sessions.get('home', taskCode))?.id).toBe(id);
        expect(await sessions.get('away', id)).toBeUndefined();
        expect((await sessions.byId(id))?.tokenHash).toBe('hash');
      },
    );

    conform('each side is taken once', async (world) => {
      await world.device('fw');
      const { id } = await session(world);
      const { sessions } = world.store;
      expect(await sessions.join(id, 'device', 10, null)).toBe(true);
      expect(await sessions.join(id, 'device', 11, null)).toBe(false);
      expect(await sessions.join(id, 'operator', 12, '192.0.2.1')).toBe(true);
      expect(await sessions.join(id, 'operator', 13, '192.0.2.2')).toBe(false);
      expect(await sessions.byId(id)).toMatchObject({
        deviceAt: 10,
        operatorAt: 12,
        operatorAddress: '192.0.2.1',
      });
    });

    conform(
      'waiting, ready, open, closed: the life is told alike by the row and by the filter',
      async (world) => {
        await world.device('fw');
        const { id } = await session(world);
        const { sessions } = world.store;
        const told = async (): Promise<string[]> => {
          const row = await sessions.byId(id);
          const listed: string[] = [];
          for (const life of ['waiting', 'ready', 'open', 'closed'] as const) {
            if ((await sessions.list('home', { life }, paging)).total === 1) listed.push(life);
          }
          return [row === undefined ? 'none' : lifeOf(row), ...listed];
        };
        expect(await told()).toEqual(['waiting', 'waiting']);
        await sessions.join(id, 'device', 10, null);
        expect(await told()).toEqual(['ready', 'ready']);
        await sessions.join(id, 'operator', 11, null);
        expect(await told()).toEqual(['open', 'open']);
        await sessions.close(id, 12, { bytesIn: 3, bytesOut: 4 });
        expect(await told()).toEqual(['closed', 'closed']);
        expect(await sessions.byId(id)).toMatchObject({ closedAt: 12, bytesIn: 3, bytesOut: 4 });
      },
    );

    conform('a session whose task ended is closed, and takes nobody any more', async (world) => {
      await world.device('fw');
      const row = await session(world);
      const { sessions, tasks } = world.store;
      await tasks.finish([completion({ deviceId: 'fw', code: row.taskCode })], 20);
      const found = await sessions.byId(row.id);
      expect(found && lifeOf(found)).toBe('closed');
    });

    conform('a closed session takes no side, and is closed once', async (world) => {
      await world.device('fw');
      const { id } = await session(world);
      const { sessions } = world.store;
      await sessions.close(id, 12, { bytesIn: 1, bytesOut: 2 });
      await sessions.close(id, 13, { bytesIn: 9, bytesOut: 9 });
      expect(await sessions.join(id, 'operator', 14, null)).toBe(false);
      expect(await sessions.byId(id)).toMatchObject({ closedAt: 12, bytesIn: 1, operatorAt: null });
    });

    conform('lists are newest first, by device, in pages', async (world) => {
      await world.device('fw');
      await world.device('other');
      const [old, young] = [await session(world), await session(world, { createdAt: 9 })];
      const { sessions } = world.store;
      const all = await sessions.list('home', {}, paging);
      expect(all.items.map(({ id }) => id)).toEqual([young?.id, old?.id]);
      const second = await sessions.list('home', { device: 'fw' }, { page: 2, perPage: 1 });
      expect(second).toMatchObject({ total: 2, items: [{ id: old?.id }] });
      expect((await sessions.list('home', { device: 'other' }, paging)).total).toBe(0);
      expect((await sessions.list('away', {}, paging)).total).toBe(0);
    });

    conform(
      'retention takes closed sessions and lets go of their recordings, and leaves live ones',
      async (world) => {
        await world.device('fw');
        const [over, live] = [await session(world), await session(world)];
        const { sessions, tasks, blobs } = world.store;
        const sha256 = 'a'.repeat(64);
        await blobs.note({ sha256, size: 3 }, 1);
        await blobs.hold(
          [over, live].map(({ taskCode }) => ({ sha256, kind: 'recording', holder: taskCode })),
          1,
        );
        await tasks.finish([completion({ deviceId: 'fw', code: over.taskCode })], 20);
        expect(await sessions.prune(5, 10)).toBe(0);
        expect(await sessions.prune(6, 10)).toBe(1);
        expect(await sessions.byId(over.id)).toBeUndefined();
        expect(await blobs.heldBy('recording', over.taskCode)).toEqual([]);
        expect(await blobs.heldBy('recording', live.taskCode)).toEqual([sha256]);
      },
    );
  });
