import { expect, test } from 'vitest';
import { completion, failure, World } from '../../test/store-conformance/world.ts';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import { openStore } from './open.ts';
import type { Store } from './store.ts';
import type { NewTask, TaskFilter } from './tasks.ts';

const held = { runs: ['run'], onlineDevices: ['fw'] };
const list = (filter: Partial<TaskFilter>) => (store: Store) =>
  store.tasks.list(
    { organizationId: 'home', sortBy: 'created_at', descending: true, ...filter },
    { page: 1, perPage: 30 },
  );
const progress = { attempt: 1, percent: 1, message: null, poweringOff: false };
const hello = {
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
};
const refusal = { errorCode: 'policy', errorMessage: 'no' };

/** What runs for every offer, report, tick or page, and the indexes it must go by, whatever the planner thinks it knows. */
const statements: [
  name: string,
  call: (store: Store, task: NewTask) => Promise<unknown>,
  indexes: string[],
][] = [
  [
    'heads',
    ({ tasks }) => tasks.heads([{ deviceId: 'fw', lane: 'read', count: 1 }], 1, ['run']),
    ['tasks_pending'],
  ],
  ['devicesWithPending', ({ tasks }) => tasks.devicesWithPending(), ['tasks_pending']],
  ['devicesWithPending of some', ({ tasks }) => tasks.devicesWithPending(['fw']), ['tasks_pending']],
  ['activate', ({ tasks }) => tasks.activate(1, 10), ['tasks_scheduled']],
  ['expire', ({ tasks }) => tasks.expire(1, 10, held), ['tasks_pending_expiry']],
  ['timeOut', ({ tasks }) => tasks.timeOut(1, 10), ['tasks_in_progress_timeout']],
  [
    'nextDeadline',
    ({ tasks }) => tasks.nextDeadline(),
    ['tasks_scheduled', 'tasks_pending_expiry', 'tasks_in_progress_timeout'],
  ],
  ['countLive', ({ tasks }) => tasks.countLive(), ['tasks_scheduled', 'tasks_pending', 'tasks_in_progress']],
  ['inProgress', ({ tasks }) => tasks.inProgress(['fw']), ['tasks_in_progress']],
  ['poweringOff', ({ tasks }) => tasks.poweringOff(1), ['tasks_powering_off']],
  ['getMany', ({ tasks }, task) => tasks.getMany([task]), ['tasks_code']],
  ['get', ({ tasks }, task) => tasks.get(undefined, task.code), ['tasks_code', 'tasks_id']],
  ['start', ({ tasks }, task) => tasks.start([task], 1, 0), ['tasks_code']],
  ['finish', ({ tasks }, task) => tasks.finish([completion(task)], 1), ['tasks_code']],
  ['progress', ({ tasks }, task) => tasks.progress([{ ...task, ...progress }], 1), ['tasks_code']],
  ['refuse', ({ tasks }, task) => tasks.refuse([{ ...task, ...refusal }], 1), ['tasks_code']],
  ['noteRefusal', ({ tasks }, task) => tasks.noteRefusal([{ ...task, message: 'busy' }], 1), ['tasks_code']],
  ['confirmCancelled', ({ tasks }, task) => tasks.confirmCancelled([task], 1), ['tasks_code']],
  ['keepLate', ({ tasks }, task) => tasks.keepLate([{ ...task, report: '{}' }], 1), ['tasks_code']],
  ['cancelWaiting', ({ tasks }) => tasks.cancelWaiting(['x'], 1), ['tasks_id']],
  ['requestCancel', ({ tasks }) => tasks.requestCancel(['x'], 1), ['tasks_id']],
  ['fail', ({ tasks }) => tasks.fail(['x'], refusal, 1), ['tasks_id']],
  [
    'failDevice',
    ({ tasks }) => tasks.failDevice('fw', 1),
    ['tasks_scheduled_device', 'tasks_pending', 'tasks_in_progress'],
  ],
  ['prune', ({ tasks }) => tasks.prune(1, 10), ['tasks_completed']],
  ['run counts', ({ runs }) => runs.get('home', 'run'), ['tasks_run']],
  ['open rollouts', ({ runs }) => runs.openRollouts(), ['runs_rollout_open', 'tasks_run']],
  ['tasks of a run', ({ runs }) => runs.taskIds('run', ['PENDING']), ['tasks_run']],
  [
    'log lines',
    ({ logs }) => logs.append([{ taskId: 'x', line: 1, stream: 'stdout', at: 1, text: '' }]),
    ['tasks_id'],
  ],
  ['hellos', ({ devices }) => devices.saveHellos([hello]), ['devices_id']],
  ['signs of life', ({ devices }) => devices.touch([{ deviceId: 'fw', at: 1 }]), ['devices_id']],
  ['applied sequences', ({ devices }) => devices.advance([{ deviceId: 'fw', storeId: 's', seq: 1 }]), []],
  ['local databases', ({ devices }) => devices.deviceStores(['fw']), []],
  ['events', ({ events }) => events.read({ organizationId: 'home' }, 1, 10), ['devices_id', 'tasks_id']],
  ['list', list({}), ['tasks_history']],
  ['list of a final state', list({ status: 'COMPLETED' }), ['tasks_ended']],
  ['list of a live state', list({ status: 'IN_PROGRESS' }), ['tasks_in_progress']],
  ['list of a device', list({ deviceIds: ['fw'] }), ['tasks_device']],
  ['list of a run', list({ runId: 'run' }), ['tasks_run']],
];

/** Enough of everything that a whole table costs more than an index. */
async function fill(world: World): Promise<void> {
  await world.store.transaction(async ({ devices }) => {
    const values = {
      organizationId: 'home',
      status: 'ENABLED',
      labels: {},
      agentVersion: '1',
      createdAt: 0,
    } as const;
    for (let n = 0; n < 300; n++)
      await devices.insert({ ...values, id: `d${n}`, name: `d${n}`, publicKey: `k${n}` });
  });
  const hellos = Array.from({ length: 300 }, (_, n) => ({ ...hello, deviceId: `d${n}` }));
  await world.store.devices.saveHellos(hellos);
  for (let n = 0; n < 300; n++) await world.run(`run ${n}`);
  for (let round = 0; round < 5; round++) {
    const tasks = await world.insert(
      ...Array.from({ length: 1000 }, (_, n) => ({ runId: 'run', deviceId: `d${n % 300}` })),
    );
    await world.store.tasks.start(tasks, 1, 0);
    await world.store.tasks.finish(
      tasks.map((task) => (round > 0 ? completion(task) : failure(task))),
      2,
    );
  }
}

const statistics = {
  'without statistics': { filled: true, before: false, after: false },
  'with statistics that were gathered when the store was small': {
    filled: false,
    before: true,
    after: false,
  },
  'with statistics that are gathered while the store is open': { filled: true, before: false, after: true },
};

test.each(Object.entries(statistics))(
  'statements go by their indexes %s',
  async (_, { filled, before, after }) => {
    const database = openSqlite(':memory:');
    const world = new World(await openStore({ dialect: 'sqlite', database }));
    await world.store.access.insertOrganization({ id: 'home', name: 'home', displayName: '', createdAt: 0 });
    await world.device('fw');
    await world.run('run', { rollout: { batch: '1' } });
    if (filled) await fill(world);
    // One task in every state, so that no statement is left out because there is nothing to do.
    await world.completed();
    await world.started();
    const [task] = await world.insert({}, { status: 'SCHEDULED' });
    if (before) database.exec('analyze');

    const seen = new Set<string>();
    for (const [name, call, indexes] of statements) {
      // A store that is new has prepared nothing yet.
      const store = await openStore({ dialect: 'sqlite', database: watched(database, seen) });
      if (after) database.exec('analyze');
      seen.clear();
      await call(store, task!);
      const plan = [...seen].flatMap((text) => explain(database, text));
      for (const index of indexes) {
        expect(plan.join('\n'), name).toMatch(new RegExp(`INDEX ${index}( |$)`, 'm'));
      }
      expect(plan.filter(isWholeTable), name).toEqual([]);
    }
    database.close();
  },
);

/** Reads every row of a table that grows with history. Indexes of live tasks are short. */
const isWholeTable = (detail: string): boolean =>
  /^SCAN (tasks|t|x|task_logs|devices|d|device_stores|s|runs|r|events|e)\b/.test(detail) &&
  !/INDEX (tasks_(scheduled|pending|in_progress|powering_off)|runs_rollout_open)/.test(detail);

/** The same database, which notes the statements that are prepared. */
function watched(database: Sqlite, seen: Set<string>): Sqlite {
  return new Proxy(database, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        if (name === 'prepare') seen.add(String(given[0]));
        return Reflect.apply(value, target, given);
      };
    },
  });
}

function explain(database: Sqlite, text: string): string[] {
  if (!/^\s*(select|insert|update|delete)/.test(text)) return [];
  const parameters = Array.from(text.matchAll(/\?/g), () => null);
  const rows = database.prepare(`explain query plan ${text}`).all(...parameters);
  return rows.map((row) => String((row as { detail: string }).detail));
}
