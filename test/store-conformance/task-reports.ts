import { describe, expect } from 'vitest';
import { type Conform, codes, completion, failure } from './world.ts';

/** What devices say about the tasks they hold. */
export const describeTaskReports = (conform: Conform) =>
  describe('tasks that devices report on', () => {
    conform('an accepted task starts, and times out after its time and the grace', async (world) => {
      await world.device('fw');
      const [task] = await world.insert({ timeoutMs: 500 });
      await world.store.tasks.noteRefusal([{ ...task!, message: 'busy' }], 5);
      const moves = await world.store.tasks.start([task!], 10, 15);
      expect(moves).toMatchObject([{ code: task!.code, status: 'IN_PROGRESS', errorCode: null }]);
      expect(await world.row(task!)).toMatchObject({
        status: 'IN_PROGRESS',
        attempt: 1,
        message: null,
        startedAt: 10,
        updatedAt: 10,
        timeoutAt: 525,
      });
    });

    conform('a task starts once, before it expires, on its own device', async (world) => {
      await world.device('fw');
      await world.device('other');
      const [task, expired, scheduled] = await world.insert({}, { expiresAt: 10 }, { status: 'SCHEDULED' });
      const { tasks } = world.store;
      expect(await tasks.start([{ deviceId: 'other', code: task!.code }], 10, 0)).toEqual([]);
      expect(await tasks.start([expired!, scheduled!, { deviceId: 'fw', code: 'nobody' }], 10, 0)).toEqual(
        [],
      );
      expect(codes(await tasks.start([task!, task!, expired!], 10, 0))).toEqual([task!.code]);
      expect(await tasks.start([task!], 11, 0)).toEqual([]);
      expect((await world.row(task!)).startedAt).toBe(10);
      expect(await tasks.start([], 10, 0)).toEqual([]);
    });

    conform(
      'a lasting refusal fails what is PENDING, a passing one only says why it waits',
      async (world) => {
        await world.device('fw');
        const [task, waiting] = await world.insert({}, {});
        const running = await world.started();
        const { tasks } = world.store;
        const why = { errorCode: 'policy', errorMessage: 'SCRIPT is not allowed here' };
        const refused = [
          { ...task!, ...why },
          { ...running, ...why },
        ];
        expect(await tasks.refuse(refused, 20)).toMatchObject([
          { code: task!.code, status: 'FAILED', errorCode: 'policy' },
        ]);
        expect(await tasks.refuse(refused, 21)).toEqual([]);
        expect(await world.row(task!)).toMatchObject({ status: 'FAILED', ...why, completedAt: 20 });

        await tasks.noteRefusal(
          [
            { ...waiting!, message: 'busy' },
            { ...waiting!, message: 'disk_full' },
            { ...running, message: 'late' },
          ],
          22,
        );
        expect(await world.row(waiting!)).toMatchObject({
          status: 'PENDING',
          message: 'disk_full',
          updatedAt: 22,
        });
        expect(await world.row(running)).toMatchObject({ status: 'IN_PROGRESS', message: null });
      },
    );

    conform('the first result wins, within a call and after it', async (world) => {
      await world.device('fw');
      const good = await world.started();
      const bad = await world.started();
      const { tasks } = world.store;
      const moves = await tasks.finish(
        [completion(good), failure(good), { ...failure(bad), attempt: 2 }],
        20,
      );
      expect(codes(moves)).toEqual(codes([good, bad]));
      expect(await world.row(good)).toMatchObject({
        status: 'COMPLETED',
        attempt: 1,
        message: 'done',
        errorCode: null,
        result: { round_trip_ms: 12 },
        completedAt: 20,
        updatedAt: 20,
      });
      expect(await world.row(bad)).toMatchObject({
        status: 'FAILED',
        attempt: 2,
        errorCode: 'exit_code',
        errorMessage: 'The script ended with 3',
        result: null,
      });
      expect(moves.find(({ code }) => code === bad.code)).toMatchObject({
        status: 'FAILED',
        errorCode: 'exit_code',
      });
      expect(await tasks.finish([failure(good)], 30)).toEqual([]);
      expect(await world.status(good)).toBe('COMPLETED');
    });

    conform(
      'a result counts only for a task that is IN_PROGRESS on the device that sends it',
      async (world) => {
        await world.device('fw');
        await world.device('other');
        const [pending] = await world.insert({});
        const running = await world.started();
        const { tasks } = world.store;
        expect(await tasks.finish([completion(pending!)], 20)).toEqual([]);
        expect(await tasks.finish([{ ...completion(running), deviceId: 'other' }], 20)).toEqual([]);
        expect(await world.status(running)).toBe('IN_PROGRESS');
      },
    );

    conform('what works too long fails, oldest first, and its result is then late', async (world) => {
      await world.device('fw');
      const slow = await world.started({ timeoutMs: 30 });
      const slower = await world.started({ timeoutMs: 40 });
      const fine = await world.started({ timeoutMs: 41 });
      const { tasks } = world.store;
      expect(await tasks.timeOut(39, 10)).toEqual([]);
      expect(await tasks.timeOut(50, 1)).toMatchObject([
        { code: slow.code, status: 'FAILED', errorCode: 'timed_out' },
      ]);
      expect(codes(await tasks.timeOut(50, 10))).toEqual([slower.code]);
      expect(await world.status(fine)).toBe('IN_PROGRESS');
      expect(await tasks.finish([completion(slow)], 51)).toEqual([]);
      expect(await world.row(slow)).toMatchObject({ status: 'FAILED', errorCode: 'timed_out', result: null });
    });

    conform('what came after the end is kept once, and changes no state', async (world) => {
      await world.device('fw');
      const running = await world.started();
      const [expired] = await world.insert({ expiresAt: 15 });
      const { tasks } = world.store;
      await tasks.expire(15, 10, { runs: [], onlineDevices: [] });
      const late = { ...expired!, report: '{"exit":0}' };
      expect(await tasks.keepLate([{ ...running, report: '{}' }], 20)).toEqual([]);
      expect(await tasks.keepLate([late, { ...late, report: '{"exit":1}' }], 20)).toMatchObject([
        { code: expired!.code, status: 'EXPIRED' },
      ]);
      expect(await tasks.keepLate([{ ...late, report: '{"exit":2}' }], 21)).toEqual([]);
      expect(await world.row(expired!)).toMatchObject({
        status: 'EXPIRED',
        lateResult: { exit: 0 },
        updatedAt: 20,
      });
    });

    conform('a cancel request is noted once, on what is IN_PROGRESS', async (world) => {
      await world.device('fw');
      const running = await world.started();
      const [pending] = await world.insert({});
      const ended = await world.completed();
      const { tasks } = world.store;
      const ids = [running, pending!, ended].map(({ id }) => id);
      expect(codes(await tasks.requestCancel(ids, 20))).toEqual([running.code]);
      expect(codes(await tasks.requestCancel(ids, 30))).toEqual([running.code]);
      expect(await world.row(running)).toMatchObject({
        status: 'IN_PROGRESS',
        cancelRequestedAt: 20,
        updatedAt: 20,
      });
      expect(await world.row(pending!)).toMatchObject({ cancelRequestedAt: null });
    });

    conform('a confirmed cancel is CANCELLED where somebody asked, else FAILED', async (world) => {
      await world.device('fw');
      const asked = await world.started();
      const unasked = await world.started();
      const [pending] = await world.insert({});
      const { tasks } = world.store;
      await tasks.requestCancel([asked.id], 20);
      const moves = await tasks.confirmCancelled([asked, unasked, pending!, asked], 30);
      expect(moves.toSorted((a, b) => a.code.localeCompare(b.code))).toMatchObject([
        { code: asked.code, status: 'CANCELLED', errorCode: null },
        { code: unasked.code, status: 'FAILED', errorCode: 'interrupted' },
      ]);
      expect(await world.row(asked)).toMatchObject({ completedAt: 30 });
      expect(await world.status(pending!)).toBe('PENDING');
      expect(await tasks.confirmCancelled([asked], 31)).toEqual([]);
    });

    conform('progress shows what was last said, and what was not said stays', async (world) => {
      await world.device('fw');
      const task = await world.started();
      const { tasks } = world.store;
      const report = { ...task, attempt: 1, percent: null, message: null, poweringOff: false };
      const moves = await tasks.progress([{ ...report, percent: 12.5, message: 'copying' }], 20);
      expect(moves).toMatchObject([{ code: task.code, status: 'IN_PROGRESS' }]);
      await tasks.progress(
        [
          { ...report, percent: 40 },
          { ...report, percent: 50 },
          { ...report, message: 'moving' },
        ],
        30,
      );
      expect(await world.row(task)).toMatchObject({
        progress: 50,
        message: 'moving',
        attempt: 1,
        updatedAt: 30,
      });
      await tasks.progress([report], 40);
      expect(await world.row(task)).toMatchObject({ progress: 50, message: 'moving', updatedAt: 40 });
    });

    conform('a new attempt begins its progress anew', async (world) => {
      await world.device('fw');
      const task = await world.started();
      const { tasks } = world.store;
      const report = { ...task, attempt: 1, percent: 90, message: 'almost', poweringOff: false };
      await tasks.progress([report], 20);
      await tasks.progress([report, { ...report, attempt: 2, percent: null, message: 'again' }], 30);
      expect(await world.row(task)).toMatchObject({ progress: null, message: 'again', attempt: 2 });
    });

    conform('progress of what is not IN_PROGRESS changes nothing', async (world) => {
      await world.device('fw');
      const [pending] = await world.insert({});
      const ended = await world.completed();
      const report = { attempt: 7, percent: 1, message: 'x', poweringOff: true };
      const moves = await world.store.tasks.progress(
        [
          { ...pending!, ...report },
          { ...ended, ...report },
        ],
        30,
      );
      expect(moves).toEqual([]);
      expect(await world.row(ended)).toMatchObject({ attempt: 1, message: 'done', poweringOffAt: null });
    });

    conform(
      'a device that powers off is known from its first report of it, until the task ends',
      async (world) => {
        await world.device('fw');
        const task = await world.started({ type: 'SHUTDOWN', lane: 'exclusive' });
        await world.started();
        const { tasks } = world.store;
        const report = { ...task, attempt: 1, percent: null, message: null, poweringOff: true };
        await tasks.progress([report, { ...report, poweringOff: false }], 20);
        await tasks.progress([report], 30);
        expect((await world.row(task)).poweringOffAt).toBe(20);
        expect(await tasks.poweringOff(20)).toEqual([]);
        expect(codes(await tasks.poweringOff(21))).toEqual([task.code]);
        await tasks.finish([completion(task)], 40);
        expect(await tasks.poweringOff(100)).toEqual([]);
      },
    );

    conform('tasks that a device does not know any more fail by id', async (world) => {
      await world.device('fw');
      const running = await world.started();
      const [pending] = await world.insert({});
      const ended = await world.completed();
      const why = { errorCode: 'lost_by_device', errorMessage: 'The device does not know it' };
      const moves = await world.store.tasks.fail(
        [running, pending!, ended].map(({ id }) => id),
        why,
        30,
      );
      expect(moves).toMatchObject([{ code: running.code, status: 'FAILED', errorCode: 'lost_by_device' }]);
      expect(await world.row(running)).toMatchObject({ ...why, completedAt: 30 });
    });
  });
