import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { TaskFilter, TaskRow } from '../../controller/store/tasks.ts';
import { taskStateNames } from '../../shared/task-state.ts';
import { type Conform, type World, completion, failure } from './world.ts';

const everything: TaskFilter = { organizationId: 'home', sortBy: 'created_at', descending: true };

export const describeTaskLists = (conform: Conform) =>
  describe('lists of tasks', () => {
    conform('pages are cut from one order and tell the total', async (world) => {
      await world.device('fw');
      const made = await world.insert({ createdAt: 5 }, { createdAt: 7 }, { createdAt: 5 }, { createdAt: 6 });
      await world.device('far', { organizationId: 'away' });
      await world.insert({ organizationId: 'away', deviceId: 'far' });
      const order = [1, 3, 2, 0].map((at) => made[at]?.code);
      const { tasks } = world.store;
      for (const page of [1, 2, 3]) {
        const { items, total } = await tasks.list(everything, { page, perPage: 2 });
        expect(items.map(({ code }) => code)).toEqual(order.slice(page * 2 - 2, page * 2));
        expect(total).toBe(4);
      }
      const up = await tasks.list({ ...everything, descending: false }, { page: 1, perPage: 10 });
      expect(up.items.map(({ code }) => code)).toEqual(order.toReversed());
      expect(await tasks.list({ ...everything, organizationId: 'nobody' }, { page: 1, perPage: 2 })).toEqual({
        items: [],
        total: 0,
      });
    });

    conform('the total follows what is inserted and pruned', async (world) => {
      await world.device('fw');
      for (const at of [20, 30, 40]) await world.completed({}, at);
      await world.store.tasks.prune(40, 10);
      await world.insert({});
      expect((await world.store.tasks.list(everything, { page: 1, perPage: 1 })).total).toBe(2);
    });

    conform('every filter selects what it says, alone and with the others', async (world) => {
      const all = await populate(world);
      await fc.assert(
        fc.asyncProperty(filters, async (filter) => {
          const expected = all.filter((task) => matches(task, filter)).toSorted(orderOf(filter));
          const codes = expected.map(({ code }) => code);
          const complete: TaskFilter = { organizationId: 'home', ...filter };
          const whole = await world.store.tasks.list(complete, { page: 1, perPage: 100 });
          expect(whole.total).toBe(codes.length);
          expect(whole.items.map(({ code }) => code)).toEqual(codes);
          const page = await world.store.tasks.list(complete, { page: 2, perPage: 3 });
          expect(page.items.map(({ code }) => code)).toEqual(codes.slice(3, 6));
        }),
        { numRuns: 400 },
      );
    });
  });

const types = ['PING', 'SCRIPT'] as const;

/** Tasks in every state, of two types, four devices and two runs, made at 0 to 9. */
async function populate(world: World): Promise<TaskRow[]> {
  const { tasks } = world.store;
  for (const name of ['d1', 'd2', 'd3', 'd4']) await world.device(name);
  await world.run('r1');
  await world.run('r2');
  for (let at = 0; at < 70; at++) {
    const status = at % 7 === 0 ? 'SCHEDULED' : 'PENDING';
    const [task] = await world.insert({
      deviceId: `d${1 + (at % 4)}`,
      createdAt: at % 10,
      type: types[at % 3 === 0 ? 1 : 0],
      runId: [null, 'r1', 'r2'][at % 5] ?? null,
      status,
      expiresAt: status === 'PENDING' ? 1000 - (at % 11) : null,
    });
    if (at % 7 >= 2) await (at % 7 === 6 ? tasks.cancelWaiting([task!.id], at) : tasks.start([task!], at, 0));
    if (at % 7 === 3) await tasks.finish([completion(task!)], at);
    if (at % 7 === 4) await tasks.finish([failure(task!)], at);
  }
  await tasks.expire(993, 4, { runs: [], onlineDevices: [] });
  const { items } = await tasks.list(everything, { page: 1, perPage: 100 });
  expect(new Set(items.map(({ status }) => status))).toEqual(new Set(taskStateNames));
  expect(items).toHaveLength(70);
  return items;
}

type Conditions = Omit<TaskFilter, 'organizationId'>;

const conditions = {
  deviceIds: fc.uniqueArray(fc.constantFrom('d1', 'd2', 'd3', 'd4', 'nobody')),
  status: fc.constantFrom(...taskStateNames),
  type: fc.constantFrom(...types),
  expired: fc.boolean(),
  createdAfter: fc.nat(10),
  createdBefore: fc.nat(10),
  runId: fc.constantFrom('r1', 'r2', 'nobody'),
};

const order = fc.record({
  sortBy: fc.constantFrom(
    'created_at',
    'updated_at',
    'scheduled_at',
    'expires_at',
    'status',
    'type',
    'device_name',
  ),
  descending: fc.boolean(),
});

/** Few conditions at a time: many at once match nothing. */
const filters: fc.Arbitrary<Conditions> = fc
  .tuple(order, fc.record(conditions), fc.subarray(Object.keys(conditions), { maxLength: 3 }))
  .map(([order, values, chosen]) => ({
    ...order,
    ...Object.fromEntries(Object.entries(values).filter(([name]) => chosen.includes(name))),
  }));

function matches(task: TaskRow, filter: Conditions): boolean {
  return (
    (filter.deviceIds === undefined || filter.deviceIds.includes(task.deviceId)) &&
    (filter.status === undefined || filter.status === task.status) &&
    (filter.type === undefined || filter.type === task.type) &&
    (filter.expired === undefined || filter.expired === (task.status === 'EXPIRED')) &&
    (filter.createdAfter === undefined || task.createdAt >= filter.createdAfter) &&
    (filter.createdBefore === undefined || task.createdAt < filter.createdBefore) &&
    (filter.runId === undefined || filter.runId === task.runId)
  );
}

const sortValues: Record<TaskFilter['sortBy'], (task: TaskRow) => string | number | null> = {
  created_at: (task) => task.createdAt,
  updated_at: (task) => task.updatedAt,
  scheduled_at: (task) => task.scheduledAt,
  expires_at: (task) => task.expiresAt,
  status: (task) => task.status,
  type: (task) => task.type,
  device_name: (task) => task.deviceName,
};

/** By the field, then by creation; what has no value comes last. */
function orderOf({ sortBy, descending }: Conditions): (left: TaskRow, right: TaskRow) => number {
  const value = sortValues[sortBy];
  const way = descending ? -1 : 1;
  return (left, right) => {
    const [a, b] = [value(left), value(right)];
    if (a === b) return way * (left.seq - right.seq);
    if (a === null || b === null) return a === null ? 1 : -1;
    return way * (a < b ? -1 : 1);
  };
}
