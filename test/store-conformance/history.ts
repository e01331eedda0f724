import { describe, expect } from 'vitest';
import type { NewAuditEntry } from '../../controller/store/audit.ts';
import type { NewEvent } from '../../controller/store/events.ts';
import { maxTaskLines, type NewLogLine } from '../../controller/store/logs.ts';
import type { Conform, World } from './world.ts';

const line = (line: number, values: Partial<NewLogLine> = {}): NewLogLine => ({
  taskId: 'id-t1',
  line,
  stream: 'stdout',
  at: line,
  text: `line ${line}`,
  ...values,
});

const event = (values: Partial<NewEvent> = {}): NewEvent => ({
  type: 'task.created',
  at: 1,
  organizationId: 'home',
  deviceId: null,
  taskId: null,
  runId: null,
  data: {},
  ...values,
});

const entry = (values: Partial<NewAuditEntry> = {}): NewAuditEntry => ({
  at: 1,
  organizationId: 'home',
  actor: 'ann@example.org',
  action: 'task.cancel',
  target: 't1',
  detail: {},
  ipAddress: null,
  requestId: null,
  ...values,
});

export const describeHistory = (conform: Conform) => {
  describe('logs', () => {
    conform('lines are read in order, from after a cursor, a bounded number at a time', async (world) => {
      const { logs } = await withTasks(world);
      await logs.append([line(2), line(1), line(1, { taskId: 'id-t2', text: 'other' })]);
      await logs.append([
        line(10, { stream: 'gap', text: '{"lines":7}' }),
        line(3, { text: 'é\u0000"\\ \u2028' }),
      ]);
      const first = await logs.read('id-t1', 0, 2);
      expect(first.map(({ line }) => line)).toEqual([1, 2]);
      const rest = await logs.read('id-t1', first.at(-1)?.cursor ?? 0, 10);
      expect(rest).toEqual([
        { ...line(3), text: 'é\u0000"\\ \u2028', cursor: expect.any(Number) },
        { ...line(10), stream: 'gap', text: '{"lines":7}', cursor: expect.any(Number) },
      ]);
      expect(await logs.read('id-t1', rest.at(-1)?.cursor ?? 0, 10)).toEqual([]);
      expect(await logs.read('nobody', 0, 10)).toEqual([]);
    });

    conform('a task keeps a bounded number of lines, whatever its device sends', async (world) => {
      const { logs } = await withTasks(world);
      const many = Array.from({ length: maxTaskLines }, (_one, index) => line(index + 2, { text: 'x' }));
      await logs.append(many);
      await logs.append([line(maxTaskLines + 2), line(maxTaskLines + 2, { taskId: 'id-t2' })]);
      expect(await logs.read('id-t1', maxTaskLines + 1, 10)).toEqual([]);
      expect(await logs.read('id-t2', 0, 10)).toHaveLength(1);
    });

    conform('a line is stored once: the first that came', async (world) => {
      const { logs } = await withTasks(world);
      await logs.append([line(1), line(1, { text: 'again' }), line(2)]);
      await logs.append([line(2, { text: 'again' }), line(3)]);
      expect((await logs.read('id-t1', 0, 10)).map(({ text }) => text)).toEqual([
        'line 1',
        'line 2',
        'line 3',
      ]);
    });

    conform('a line of an unknown task is ignored', async (world) => {
      const { logs } = await withTasks(world);
      await logs.append([line(1, { taskId: 'nobody' }), line(1)]);
      await logs.append([]);
      expect(await logs.read('nobody', 0, 10)).toEqual([]);
      expect(await logs.read('id-t1', 0, 10)).toHaveLength(1);
    });
  });

  describe('events', () => {
    conform('events are read in their order, with the names of what they are about', async (world) => {
      const { events } = await withTasks(world);
      await events.append([
        event({ deviceId: 'fw', taskId: 'id-t1', runId: 'run', data: { status: 'PENDING', list: [1, 'x'] } }),
        event({ type: 'device.online', at: 2 }),
        event({ organizationId: 'away' }),
      ]);
      await events.append([event({ type: 'run.stopped', taskId: 'gone' })]);
      await events.append([]);
      const rows = await events.read({ organizationId: 'home' }, 0, 10);
      expect(rows).toEqual([
        {
          ...event({
            deviceId: 'fw',
            taskId: 'id-t1',
            runId: 'run',
            data: { status: 'PENDING', list: [1, 'x'] },
          }),
          cursor: 1,
          organizationName: 'home',
          deviceName: 'fw',
          taskCode: 't1',
        },
        expect.objectContaining({ type: 'device.online', cursor: 2, deviceName: null, taskCode: null }),
        expect.objectContaining({ type: 'run.stopped', cursor: 4, taskCode: null }),
      ]);
      expect((await events.read({ organizationId: 'home' }, 2, 10)).map(({ cursor }) => cursor)).toEqual([4]);
      expect((await events.read({ organizationId: 'home' }, 0, 1)).map(({ cursor }) => cursor)).toEqual([1]);
    });

    conform('events are filtered by task and by run', async (world) => {
      const { events } = await withTasks(world);
      await events.append([
        event({ taskId: 'id-t1' }),
        event({ runId: 'run' }),
        event({ taskId: 'id-t2', runId: 'run' }),
      ]);
      const cursors = async (filter: { taskId?: string; runId?: string }) =>
        (await events.read({ organizationId: 'home', ...filter }, 0, 10)).map(({ cursor }) => cursor);
      expect(await cursors({ taskId: 'id-t1' })).toEqual([1]);
      expect(await cursors({ runId: 'run' })).toEqual([2, 3]);
      expect(await cursors({ taskId: 'id-t2', runId: 'run' })).toEqual([3]);
      expect(await cursors({ taskId: 'nobody' })).toEqual([]);
    });

    conform('a cursor is never used twice, though all events are pruned', async ({ store: { events } }) => {
      expect(await events.range()).toEqual({ oldest: 0, newest: 0 });
      await events.append([event(), event(), event()]);
      expect(await events.range()).toEqual({ oldest: 1, newest: 3 });
      expect(await events.prune(0, 0)).toBe(3);
      expect(await events.range()).toEqual({ oldest: 4, newest: 3 });
      await events.append([event()]);
      expect(await events.range()).toEqual({ oldest: 4, newest: 4 });
    });

    conform('pruning keeps the newest, as long as they are young', async ({ store: { events } }) => {
      await events.append([1, 2, 3, 4, 5].map((at) => event({ at })));
      expect(await events.prune(10, 1)).toBe(0);
      expect(await events.prune(4, 1)).toBe(1);
      expect(await events.range()).toEqual({ oldest: 2, newest: 5 });
      expect(await events.prune(10, 4)).toBe(2);
      expect(await events.range()).toEqual({ oldest: 4, newest: 5 });
      expect(await events.prune(10, 99)).toBe(2);
      expect(await events.prune(10, 99)).toBe(0);
    });

    conform('pruning leaves no hole where the clock was turned back', async ({ store: { events } }) => {
      await events.append([1, 9, 2, 10].map((at) => event({ at })));
      expect(await events.prune(10, 5)).toBe(1);
      const rows = await events.read({ organizationId: 'home' }, 0, 10);
      expect(rows.map(({ cursor }) => cursor)).toEqual([2, 3, 4]);
    });
  });

  describe('audit', () => {
    conform('entries are listed newest first, in pages', async ({ store: { audit } }) => {
      const full = entry({ at: 3, detail: { reason: ['x'] }, ipAddress: '10.0.0.1', requestId: 'req-1' });
      await audit.append([
        entry({ at: 2 }),
        full,
        entry({ at: 3, organizationId: null }),
        entry({ at: 3, target: 't2' }),
      ]);
      await audit.append([entry({ organizationId: 'away', at: 9 })]);
      await audit.append([]);
      const { items, total } = await audit.list({ organizationId: 'home' }, { page: 1, perPage: 2 });
      expect(total).toBe(3);
      expect(items.map(({ target }) => target)).toEqual(['t2', 't1']);
      expect(items[1]).toEqual({ ...full, id: expect.any(Number) });
      const rest = await audit.list({ organizationId: 'home' }, { page: 2, perPage: 2 });
      expect(rest.items.map(({ at }) => at)).toEqual([2]);
    });

    conform('entries are filtered by every field', async ({ store: { audit } }) => {
      await audit.append([
        entry({ at: 1 }),
        entry({ at: 2, actor: 'bob@example.org' }),
        entry({ at: 3, action: 'device.approve' }),
        entry({ at: 4, target: 'fw' }),
      ]);
      const moments = async (filter: object) => {
        const { items, total } = await audit.list(
          { organizationId: 'home', ...filter },
          { page: 1, perPage: 9 },
        );
        expect(total).toBe(items.length);
        return items.map(({ at }) => at);
      };
      expect(await moments({ actor: 'bob@example.org' })).toEqual([2]);
      expect(await moments({ action: 'device.approve' })).toEqual([3]);
      expect(await moments({ target: 'fw' })).toEqual([4]);
      expect(await moments({ createdAfter: 2, createdBefore: 4 })).toEqual([3, 2]);
    });

    conform('entries are searched for a text in any field, which is taken as it is', async (world) => {
      const { audit, events } = await withTasks(world);
      await audit.append([
        entry({ at: 1, actor: 'Bob@example.org', requestId: 'req-7' }),
        entry({ at: 2, action: 'device.approve', ipAddress: '192.0.2.9' }),
        entry({ at: 3, detail: { reason: '100% sure_' } }),
      ]);
      const failed = { deviceId: 'fw', taskId: 'id-t1', type: 'task.failed' as const };
      await events.append([event({ ...failed, at: 4, data: { by: 'controller', error: 'disk_full' } })]);
      const found = async (search: string, filter: object = {}) => {
        const paging = { page: 1, perPage: 9 };
        const { items, total } = await audit.list({ organizationId: 'home', search, ...filter }, paging);
        expect(total).toBe(items.length);
        return items.map(({ at }) => at);
      };
      expect(await found('bob@EXAMPLE')).toEqual([1]);
      expect(await found('req-7')).toEqual([1]);
      expect(await found('192.0.2.9')).toEqual([2]);
      expect(await found('.approve')).toEqual([2]);
      expect(await found('100% sure_')).toEqual([3]);
      expect(await found('100_')).toEqual([]);
      expect(await found('\\')).toEqual([]);
      expect(await found('DISK_FULL')).toEqual([4]);
      expect(await found('fw', { createdAfter: 4 })).toEqual([4]);
      expect(await found('a', { organizationId: 'away' })).toEqual([]);
    });

    conform('moves of tasks are listed among them, with who made them', async (world) => {
      const { events, audit } = await withTasks(world);
      const move = (values: Partial<NewEvent>) => event({ taskId: 'id-t1', deviceId: 'fw', ...values });
      await audit.append([entry({ at: 1 }), entry({ at: 5, actor: 'bob@example.org', target: 'fw' })]);
      await events.append([
        move({ type: 'task.created', at: 1 }),
        move({ type: 'task.started', at: 2, data: { by: 'device', status: 'IN_PROGRESS' } }),
        move({ type: 'task.progress', at: 3, data: { by: 'device' } }),
        move({ type: 'task.failed', at: 4, data: { by: 'controller' } }),
        move({ type: 'task.cancelled', at: 6, taskId: 'id-t2', data: { by: 'bob@example.org' } }),
      ]);
      const list = async (filter: object, page = 1, perPage = 9) =>
        audit.list({ organizationId: 'home', ...filter }, { page, perPage });
      const { items, total } = await list({});
      expect(total).toBe(5);
      expect(items.map(({ id, actor, action, target }) => [Math.sign(id), actor, action, target])).toEqual([
        [-1, 'bob@example.org', 'task.cancelled', 't2'],
        [1, 'bob@example.org', 'task.cancel', 'fw'],
        [-1, 'controller', 'task.failed', 't1'],
        [-1, 'device fw', 'task.started', 't1'],
        [1, 'ann@example.org', 'task.cancel', 't1'],
      ]);
      expect(items[3]?.detail).toEqual({ by: 'device', status: 'IN_PROGRESS' });
      expect(await list({}, 2, 2)).toEqual({ items: items.slice(2, 4), total: 5 });
      expect((await list({ actor: 'device fw' })).items).toEqual([items[3]]);
      expect((await list({ actor: 'bob@example.org' })).items).toEqual(items.slice(0, 2));
      expect((await list({ target: 't1' })).items).toEqual(items.slice(2));
      expect((await list({ action: 'task.failed', createdAfter: 4, createdBefore: 5 })).total).toBe(1);
    });

    conform('old entries are pruned', async ({ store: { audit } }) => {
      await audit.append([entry({ at: 1 }), entry({ at: 2 })]);
      expect(await audit.prune(2)).toBe(1);
      expect((await audit.list({ organizationId: 'home' }, { page: 1, perPage: 9 })).total).toBe(1);
    });
  });
};

/** Two tasks of a run for one device: `t1` and `t2`. */
async function withTasks(world: World) {
  await world.device('fw');
  await world.run('run');
  await world.insert({ runId: 'run' }, { runId: 'run' });
  return world.store;
}
