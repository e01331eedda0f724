import { describe, expect } from 'vitest';
import type { NewSchedule, NewScheduledTask } from '../../controller/store/schedules.ts';
import { type Conform, completion, type World } from './world.ts';

const schedule = (name: string, values: Partial<NewSchedule> = {}): NewSchedule => ({
  id: `id of ${name}`,
  organizationId: 'home',
  name,
  description: '',
  enabled: true,
  cron: '0 2 * * *',
  timezone: 'UTC',
  overlap: 'skip',
  maxRetries: 0,
  retryDelayMs: 60_000,
  createdBy: 'ops@example.org',
  createdAt: 5,
  ...values,
});

/** Inserts a schedule, due at 100, with one task whose code is its name. */
async function prepare(world: World, name: string, values: Partial<NewScheduledTask> = {}): Promise<string> {
  const { schedules } = world.store;
  const one = schedule(name);
  await schedules.insert(one);
  await schedules.insertTask({
    code: name,
    scheduleId: one.id,
    organizationId: 'home',
    kind: 'RUN',
    request: '{"type":"PING"}',
    enabled: true,
    createdBy: 'ops@example.org',
    createdAt: 6,
    ...values,
  });
  await schedules.setTimes(one.id, [{ zone: 'UTC', nextAt: 100 }], 10);
  return one.id;
}

const firing = (name: string, over: object = {}) => ({
  scheduleId: `id of ${name}`,
  task: name,
  fireAt: 100,
  zone: 'UTC',
  at: 101,
  nextAt: 100,
  runId: 'run',
  ...over,
});
const page = { page: 1, perPage: 10 };

export const describeSchedules = (conform: Conform) =>
  describe('schedules', () => {
    conform(
      'a schedule is read as it was made, by name and by id, within its organization',
      async (world) => {
        const id = await prepare(world, 'nightly');
        const { schedules } = world.store;
        const row = {
          ...schedule('nightly'),
          organizationName: 'home',
          updatedAt: 5,
          lastFiredAt: null,
          lastRunAt: null,
          nextRunAt: 100,
        };
        expect(await schedules.get('home', 'nightly')).toEqual(row);
        expect(await schedules.get('home', id)).toEqual(row);
        expect(await schedules.get('away', 'nightly')).toBeUndefined();
        expect(await schedules.list('home', page)).toEqual({ items: [row], total: 1 });
        expect(await schedules.list('away', page)).toEqual({ items: [], total: 0 });
      },
    );

    conform('a name is unique in its organization', async (world) => {
      const { schedules } = world.store;
      await schedules.insert(schedule('nightly'));
      await schedules.insert(schedule('nightly', { id: 'other', organizationId: 'away' }));
      await schedules.insert(schedule('weekly'));
      await expect(schedules.insert(schedule('nightly', { id: 'again' }))).rejects.toMatchObject({
        code: 'name_taken',
      });
      const renamed = { ...schedule('weekly'), name: 'nightly' };
      await expect(schedules.update('id of weekly', renamed, 9)).rejects.toMatchObject({
        code: 'name_taken',
      });
      expect(await schedules.update('id of weekly', { ...renamed, name: 'yearly' }, 9)).toBe(true);
      expect(await schedules.get('home', 'yearly')).toMatchObject({ updatedAt: 9 });
      expect(await schedules.update('nobody', renamed, 9)).toBe(false);
    });

    conform('removing a schedule removes its tasks, times and firings', async (world) => {
      const id = await prepare(world, 'nightly');
      const { schedules } = world.store;
      await schedules.claim(firing('nightly'));
      expect(await schedules.remove(id)).toBe(true);
      expect(await schedules.remove(id)).toBe(false);
      expect(await schedules.task('home', 'nightly')).toBeUndefined();
      expect(await schedules.nextDue()).toBeUndefined();
      expect(await schedules.firings(id, page)).toEqual({ items: [], total: 0 });
    });

    conform('scheduled tasks are listed in order, of one schedule or of all', async (world) => {
      const { schedules } = world.store;
      await prepare(world, 'b', { createdAt: 7 });
      await prepare(world, 'a', { createdAt: 8, kind: 'SYNC' });
      const codes = async (name?: string) =>
        (await schedules.listTasks('home', name, page)).items.map(({ code }) => code);
      expect(await codes()).toEqual(['b', 'a']);
      expect(await codes('a')).toEqual(['a']);
      expect(await codes('nobody')).toEqual([]);
      expect((await schedules.listTasks('away', undefined, page)).total).toBe(0);
      expect((await schedules.tasksOf(['id of a', 'id of b'])).map(({ code }) => code)).toEqual(['b', 'a']);
      expect(await schedules.setTask('a', { enabled: false, kind: 'PULL', request: '{}' }, 20)).toBe(true);
      expect(await schedules.task('home', 'a')).toMatchObject({
        scheduleName: 'a',
        enabled: false,
        kind: 'PULL',
        request: '{}',
        updatedAt: 20,
      });
      expect(await schedules.task('away', 'a')).toBeUndefined();
      expect(await schedules.removeTask('a')).toBe(true);
      expect(await schedules.removeTask('a')).toBe(false);
    });

    conform('what is due is told oldest first, and moves on once', async (world) => {
      const { schedules } = world.store;
      await prepare(world, 'b');
      const id = await prepare(world, 'a');
      await schedules.setTimes(id, [{ zone: 'UTC', nextAt: 90 }], 10);
      await schedules.addTimes(
        [
          { scheduleId: id, zone: 'UTC', nextAt: 1 },
          { scheduleId: id, zone: 'Asia/Tokyo', nextAt: 95 },
          { scheduleId: 'nobody', zone: 'UTC', nextAt: 1 },
        ],
        10,
      );
      expect(await schedules.nextDue()).toBe(90);
      expect(await schedules.due(89, 10)).toEqual([]);
      const told = async (now: number, limit: number) =>
        (await schedules.due(now, limit)).map(({ schedule: { name }, zone, nextAt }) => [name, zone, nextAt]);
      expect(await told(100, 2)).toEqual([
        ['a', 'UTC', 90],
        ['a', 'Asia/Tokyo', 95],
      ]);
      expect(await told(100, 10)).toHaveLength(3);

      const moved = { scheduleId: id, zone: 'UTC', nextAt: 90, next: 190, fired: [{ task: 'a', at: 90 }] };
      await schedules.advance([moved], 105);
      await schedules.advance([{ ...moved, next: 999, fired: [] }], 106);
      await schedules.advance(
        [{ scheduleId: id, zone: 'Asia/Tokyo', nextAt: 95, next: null, fired: [] }],
        107,
      );
      expect(await schedules.times([id])).toEqual([{ scheduleId: id, zone: 'UTC', nextAt: 190 }]);
      expect(await schedules.get('home', 'a')).toMatchObject({
        lastFiredAt: 90,
        lastRunAt: 105,
        nextRunAt: 190,
      });
      expect(await schedules.task('home', 'a')).toMatchObject({ lastFiredAt: 90 });
      expect((await schedules.computedAfter(104)).map(({ schedule: { name } }) => name)).toEqual(['a']);
      expect(await schedules.computedAfter(105)).toEqual([]);
    });

    conform('a firing is claimed once, while its time stands and nobody disabled it', async (world) => {
      const id = await prepare(world, 'a');
      await prepare(world, 'off', { enabled: false });
      const { schedules } = world.store;
      const claims = await Promise.all([schedules.claim(firing('a')), schedules.claim(firing('a'))]);
      expect(claims.sort()).toEqual([false, true]);
      expect(await schedules.claim(firing('off'))).toBe(false);
      expect(await schedules.claim(firing('a', { nextAt: 99, fireAt: 99 }))).toBe(false);
      expect(await schedules.claim(firing('a', { zone: 'Asia/Tokyo' }))).toBe(false);
      expect(await schedules.claim(firing('nobody'))).toBe(false);
      await schedules.update(id, { ...schedule('a'), enabled: false }, 20);
      expect(await schedules.claim(firing('a', { fireAt: 95 }))).toBe(false);
    });

    conform('what was skipped is noted once, and never over what fired', async (world) => {
      const id = await prepare(world, 'a');
      const { schedules } = world.store;
      await schedules.claim(firing('a'));
      const skips = [
        { ...firing('a'), reason: 'late' },
        { ...firing('a', { fireAt: 40 }), reason: 'missed' },
        { ...firing('nobody'), reason: 'gone' },
      ];
      await schedules.skip(skips);
      await schedules.skip(skips);
      await schedules.noteManual(firing('a', { zone: '', at: 200, fireAt: 200, runId: 'mine' }));
      const { items, total } = await schedules.firings(id, page);
      expect(total).toBe(3);
      expect(
        items.map(({ trigger, outcome, reason, runId, fireAt }) => [trigger, outcome, reason, runId, fireAt]),
      ).toEqual([
        ['manual', 'fired', null, 'mine', 200],
        ['schedule', 'skipped', 'missed', null, 40],
        ['schedule', 'fired', null, 'run', 100],
      ]);
      const keys = [
        { task: 'a', fireAt: 100, zone: 'UTC' },
        { task: 'a', fireAt: 40, zone: 'UTC' },
        { task: 'a', fireAt: 200, zone: '' },
        { task: 'b', fireAt: 100, zone: 'UTC' },
      ];
      expect(await schedules.noted(keys)).toEqual(keys.slice(0, 2));
      expect(await schedules.get('home', 'a')).toMatchObject({ lastRunAt: 200, lastFiredAt: null });
    });

    conform('a task is busy while a run of it in the zone, or one a person made, is open', async (world) => {
      await world.device('fw');
      const { schedules } = world.store;
      await prepare(world, 'a');
      await prepare(world, 'b');
      await world.run('run');
      await world.run('trying', { retries: { max: 1, delayMs: 0 } });
      const running = await world.started({ runId: 'run' });
      await schedules.claim(firing('a'));
      await schedules.noteManual(firing('b', { zone: '', runId: 'trying' }));
      const keys = [
        { task: 'a', zone: 'UTC' },
        { task: 'a', zone: 'Asia/Tokyo' },
        { task: 'b', zone: 'Asia/Tokyo' },
        { task: 'c', zone: 'UTC' },
      ];
      expect(await schedules.busy(keys)).toEqual([keys[0], keys[2]]);
      await world.store.tasks.finish([completion(running)], 60);
      await world.store.retries.close('trying');
      expect(await schedules.busy(keys)).toEqual([]);
    });

    conform('zones of devices are told by label, else by fact', async (world) => {
      await world.device('a', { labels: { timezone: 'Asia/Tokyo' } });
      await world.device('b');
      await world.device('c');
      await world.store.devices.saveFacts('b', 'digest', { timezone: 'Europe/Berlin' }, 1);
      await world.store.devices.saveFacts('a', 'digest', { timezone: 'Europe/Berlin' }, 1);
      expect(await world.store.schedules.deviceZones('home')).toEqual([
        { name: 'a', zone: 'Asia/Tokyo' },
        { name: 'b', zone: 'Europe/Berlin' },
        { name: 'c', zone: null },
      ]);
      const { schedules } = world.store;
      await schedules.insert(schedule('local', { timezone: 'device' }));
      await schedules.insert(schedule('off', { timezone: 'device', enabled: false }));
      await schedules.insert(schedule('utc'));
      expect((await schedules.ofDeviceZones()).map(({ name }) => name)).toEqual(['local']);
    });

    conform(
      'those that run something are listed from anywhere on, also by the kind of the first thing',
      async (world) => {
        const { schedules } = world.store;
        await schedules.insert(schedule('empty'));
        await prepare(world, 'b', { kind: 'BACKUP' });
        await prepare(world, 'a');
        await schedules.insertTask({
          code: 'second',
          scheduleId: 'id of a',
          organizationId: 'home',
          kind: 'BACKUP',
          request: '{}',
          enabled: true,
          createdBy: 'ops@example.org',
          createdAt: 7,
        });
        const listed = async (what: { kind?: 'RUN' | 'BACKUP' }, window = { limit: 10, offset: 0 }) => {
          const { items, total } = await schedules.listUsed({ organizationId: 'home', ...what }, window);
          return { names: items.map(({ name }) => name), total };
        };
        expect(await listed({})).toEqual({ names: ['a', 'b'], total: 2 });
        expect(await listed({}, { limit: 1, offset: 1 })).toEqual({ names: ['b'], total: 2 });
        expect(await listed({ kind: 'BACKUP' })).toEqual({ names: ['b'], total: 1 });
        expect(await schedules.listUsed({ organizationId: 'away' }, { limit: 10, offset: 0 })).toEqual({
          items: [],
          total: 0,
        });
      },
    );

    conform('the runs it made are listed, newest first, without what was skipped', async (world) => {
      const id = await prepare(world, 'a');
      const { schedules } = world.store;
      await schedules.claim(firing('a', { runId: 'first' }));
      await schedules.skip([{ ...firing('a', { fireAt: 150 }), reason: 'overlap' }]);
      await schedules.noteManual(firing('a', { zone: '', fireAt: 200, runId: 'second' }));
      expect(await schedules.firedRuns(id, { limit: 10, offset: 0 })).toEqual({
        items: ['second', 'first'],
        total: 2,
      });
      expect((await schedules.firedRuns(id, { limit: 1, offset: 1 })).items).toEqual(['first']);
    });

    conform('firings are pruned by age, in steps', async (world) => {
      const id = await prepare(world, 'a');
      const { schedules } = world.store;
      for (const at of [1, 2, 3]) await schedules.noteManual(firing('a', { zone: '', at }));
      expect(await schedules.pruneFirings(3, 1)).toBe(1);
      expect(await schedules.pruneFirings(3, 10)).toBe(1);
      expect((await schedules.firings(id, page)).items.map(({ at }) => at)).toEqual([3]);
    });
  });
