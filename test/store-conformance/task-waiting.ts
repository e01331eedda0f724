import { describe, expect } from 'vitest';
import { type Conform, codes, completion } from './world.ts';

const nobodyHeld = { runs: [], onlineDevices: [] };

/** From creation until a device takes the task: what the dispatcher and people do to it. */
export const describeWaitingTasks = (conform: Conform) =>
  describe('tasks that wait', () => {
    conform('a task is read as it was made, by code and by id, within its organization', async (world) => {
      await world.device('fw');
      const [task] = await world.insert({
        parameters: '{ "host":"é\\u0000\\ud83d", "n": 1.50 }',
        force: true,
        createdAt: 1_700_000_000_001,
        expiresAt: 1_700_000_600_001,
        retryOf: 'older',
      });
      const { tasks } = world.store;
      const row = {
        ...task,
        seq: expect.any(Number),
        deviceName: 'fw',
        organizationName: 'home',
        retryNumber: 0,
        attempt: 0,
        progress: null,
        message: null,
        errorCode: null,
        errorMessage: null,
        result: null,
        lateResult: null,
        updatedAt: 1_700_000_000_001,
        startedAt: null,
        timeoutAt: null,
        completedAt: null,
        cancelRequestedAt: null,
        poweringOffAt: null,
      };
      expect(await tasks.get('home', 't1')).toEqual(row);
      expect(await tasks.get('home', 'id-t1')).toEqual(row);
      expect(await tasks.get(undefined, 't1')).toEqual(row);
      expect(await tasks.get('away', 't1')).toBeUndefined();
      expect(await tasks.get('home', 'nobody')).toBeUndefined();
    });

    conform('ten thousand tasks are inserted in their order', async (world) => {
      await world.device('fw');
      await world.insert(...Array.from({ length: 10_000 }, () => ({})));
      const first = await world.row({ code: 't1' });
      const last = await world.row({ code: 't10000' });
      expect(last.seq - first.seq).toBe(9_999);
      expect(await world.store.tasks.countLive()).toEqual([
        { status: 'PENDING', type: 'PING', count: 10_000 },
      ]);
    });

    conform('a code that is taken refuses the whole insert', async (world) => {
      await world.device('fw');
      await world.insert({ code: 'taken' });
      await expect(world.insert({ code: 'fresh' }, { code: 'taken' })).rejects.toMatchObject({
        code: 'conflict',
      });
      expect(await world.store.tasks.get(undefined, 'fresh')).toBeUndefined();
      const page = await world.store.tasks.list(
        { organizationId: 'home', sortBy: 'created_at', descending: true },
        { page: 1, perPage: 10 },
      );
      expect(page.total).toBe(1);
    });

    conform('what is due is activated, oldest due first, and expires from then on', async (world) => {
      await world.device('fw');
      const at = (scheduledAt: number) => ({ status: 'SCHEDULED' as const, scheduledAt });
      const [late, early, middle, future] = await world.insert(at(30), at(10), at(20), at(41));
      const { tasks } = world.store;

      expect(codes(await tasks.activate(40, 2))).toEqual(codes([early!, middle!]));
      expect(await tasks.activate(40, 2)).toMatchObject([
        { code: late!.code, status: 'PENDING', deviceId: 'fw' },
      ]);
      expect(await tasks.activate(40, 2)).toEqual([]);
      expect(await world.row(early!)).toMatchObject({ status: 'PENDING', expiresAt: 1040, updatedAt: 40 });
      expect(await world.row(future!)).toMatchObject({ status: 'SCHEDULED', expiresAt: null });
    });

    conform('what was not picked up in time expires, oldest first, at its very moment', async (world) => {
      await world.device('fw');
      const [second, first, later] = await world.insert(
        { expiresAt: 50 },
        { expiresAt: 40 },
        { expiresAt: 51 },
      );
      const { tasks } = world.store;
      expect(await tasks.expire(39, 10, nobodyHeld)).toEqual([]);
      expect(await tasks.expire(50, 1, nobodyHeld)).toMatchObject([{ code: first!.code, status: 'EXPIRED' }]);
      expect(codes(await tasks.expire(50, 10, nobodyHeld))).toEqual([second!.code]);
      expect(await world.status(later!)).toBe('PENDING');
      expect(await world.row(first!)).toMatchObject({ completedAt: 50, updatedAt: 50, errorCode: null });
    });

    conform('a task that its run holds back does not expire while its device is online', async (world) => {
      await world.device('fw');
      await world.device('offline');
      await world.run('held');
      await world.run('free');
      const [kept, offline, free, none] = await world.insert(
        { runId: 'held', expiresAt: 50 },
        { runId: 'held', expiresAt: 50, deviceId: 'offline' },
        { runId: 'free', expiresAt: 50 },
        { expiresAt: 50 },
      );
      const [later] = await world.insert({ runId: 'held', expiresAt: 51 });
      const held = { runs: ['held'], onlineDevices: ['fw'] };
      expect(codes(await world.store.tasks.expire(50, 10, held))).toEqual(codes([offline!, free!, none!]));
      expect(await world.row(kept!)).toMatchObject({ status: 'PENDING', expiresAt: 1050 });
      expect(await world.row(later!)).toMatchObject({ status: 'PENDING', expiresAt: 51 });
    });

    conform('a wish cancels what waits, with no reason, and nothing else', async (world) => {
      await world.device('fw');
      const [pending, scheduled] = await world.insert({}, { status: 'SCHEDULED' });
      const running = await world.started();
      const ended = await world.completed();
      const ids = [pending!, scheduled!, running, ended].map(({ id }) => id);
      const { tasks } = world.store;
      const moves = await tasks.cancelWaiting([...ids, ids[0]!, 'nobody'], 30);
      expect(codes(moves)).toEqual(codes([pending!, scheduled!]));
      expect(moves[0]).toEqual({
        id: pending!.id,
        code: pending!.code,
        organizationId: 'home',
        deviceId: 'fw',
        runId: null,
        type: 'PING',
        lane: 'read',
        status: 'CANCELLED',
        errorCode: null,
      });
      expect(await world.row(pending!)).toMatchObject({ completedAt: 30, updatedAt: 30, errorMessage: null });
      expect(await world.status(running)).toBe('IN_PROGRESS');
      expect(await world.status(ended)).toBe('COMPLETED');
      expect(await tasks.cancelWaiting(ids, 31)).toEqual([]);
    });

    conform('whatever else cancels says why', async (world) => {
      await world.device('fw');
      const [task] = await world.insert({});
      const why = { errorCode: 'rollout_stopped', errorMessage: 'Too many failed' };
      const moves = await world.store.tasks.cancelWaiting([task!.id], 30, why);
      expect(moves).toMatchObject([{ errorCode: 'rollout_stopped' }]);
      expect(await world.row(task!)).toMatchObject({ status: 'CANCELLED', ...why });
    });

    conform('a task is either cancelled or started, whoever comes first', async (world) => {
      await world.device('fw');
      for (let round = 0; round < 10; round++) {
        const [task] = await world.insert({});
        const cancel = () => world.store.tasks.cancelWaiting([task!.id], 10);
        const start = () => world.store.tasks.start([task!], 10, 0);
        const both = await Promise.all(round % 2 ? [cancel(), start()] : [start(), cancel()]);
        expect(both.flat()).toHaveLength(1);
        expect(await world.status(task!)).toBe(both.flat()[0]?.status);
      }
    });

    conform('the nearest deadline of live tasks is known', async (world) => {
      await world.device('fw');
      const { tasks } = world.store;
      expect(await tasks.nextDeadline()).toBeUndefined();
      const done = await world.completed({ expiresAt: 500, timeoutMs: 1 }, 20);
      expect(await world.status(done)).toBe('COMPLETED');
      expect(await tasks.nextDeadline()).toBeUndefined();
      await world.insert({ expiresAt: 900 });
      expect(await tasks.nextDeadline()).toBe(900);
      await world.insert({ status: 'SCHEDULED', scheduledAt: 800 });
      expect(await tasks.nextDeadline()).toBe(800);
      await world.started({ timeoutMs: 700 }, 10);
      expect(await tasks.nextDeadline()).toBe(710);
    });

    conform('all that waits or works for a removed device fails', async (world) => {
      await world.device('fw');
      await world.device('other');
      const live = [
        ...(await world.insert({ status: 'SCHEDULED' }, { lane: 'exclusive' }, {})),
        await world.started(),
      ];
      const ended = await world.completed();
      const [other] = await world.insert({ deviceId: 'other' });
      const moves = await world.store.tasks.failDevice('fw', 30);
      expect(codes(moves)).toEqual(codes(live));
      expect(new Set(moves.map(({ status, errorCode }) => `${status} ${errorCode}`))).toEqual(
        new Set(['FAILED device_removed']),
      );
      expect(await world.status(ended)).toBe('COMPLETED');
      expect(await world.status(other!)).toBe('PENDING');
      expect(await world.store.tasks.failDevice('fw', 31)).toEqual([]);
    });

    conform('live tasks are counted by state and type', async (world) => {
      await world.device('fw');
      await world.insert({}, {}, { type: 'SCRIPT', lane: 'script' }, { status: 'SCHEDULED' });
      await world.started();
      await world.completed();
      expect(await world.store.tasks.countLive()).toEqual([
        { status: 'IN_PROGRESS', type: 'PING', count: 1 },
        { status: 'PENDING', type: 'PING', count: 2 },
        { status: 'PENDING', type: 'SCRIPT', count: 1 },
        { status: 'SCHEDULED', type: 'PING', count: 1 },
      ]);
    });

    conform(
      'pruning deletes the oldest ended tasks with their logs, a bounded number at a time',
      async (world) => {
        await world.device('fw');
        const { tasks, logs } = world.store;
        const oldest = await world.completed({}, 20);
        const older = await world.completed({}, 30);
        const kept = await world.completed({}, 40);
        const [live] = await world.insert({});
        const line = (task: { id: string }) => ({
          taskId: task.id,
          line: 1,
          stream: 'stdout' as const,
          at: 1,
          text: 'x',
        });
        await logs.append([oldest, older, kept].map(line));

        expect(await tasks.prune(40, 1)).toBe(1);
        expect(await tasks.get(undefined, oldest.code)).toBeUndefined();
        expect(await world.status(older)).toBe('COMPLETED');
        expect(await tasks.prune(40, 10)).toBe(1);
        expect(await tasks.prune(40, 10)).toBe(0);
        expect(await logs.read(older.id, 0, 10)).toEqual([]);
        expect(await logs.read(kept.id, 0, 10)).toHaveLength(1);
        expect(await world.status(live!)).toBe('PENDING');
        expect(await tasks.finish([completion(older)], 50)).toEqual([]);
      },
    );
  });
