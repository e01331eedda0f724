/** What finding the next tasks costs when a million tasks have ended, against a store that has none. */
import { randomUUID } from 'node:crypto';
import { openStore } from '../controller/store/open.ts';
import type { Store } from '../controller/store/store.ts';
import type { NewTask } from '../controller/store/tasks.ts';
import { systemRandom } from '../shared/node/system-clock.ts';
import { drawTaskCode } from '../shared/ids.ts';
import { temporaryFolder } from './children.ts';
import { emit, median, medians, numberOption, tell } from './measure.ts';

const devices = 1_000;
const backlog = 10_000;

export async function claim(): Promise<void> {
  const finished = numberOption('finished', 1_000_000);
  const runs = numberOption('runs', 5);
  const empty = await prepare(0);
  const full = await prepare(finished);
  const [without, withMany]: [Figures[], Figures[]] = [[], []];
  for (let run = 0; run < runs; run += 1) {
    without.push(await measure(empty));
    withMany.push(await measure(full));
  }
  const [few, many] = [medians(without), medians(withMany)];
  emit('claim', { case: 'no finished tasks', runs, ...few });
  const ratios = Object.fromEntries(
    Object.keys(few).map((name) => [`${name}Ratio`, (many[name] ?? 0) / (few[name] ?? 1)]),
  );
  emit('claim', { case: `${finished} finished tasks`, runs, ...many, ...ratios });
  await Promise.all([empty.store.close(), full.store.close()]);
}

type Figures = Record<string, number>;

interface Prepared {
  store: Store;
  organizationId: string;
  deviceIds: string[];
}

async function prepare(finished: number): Promise<Prepared> {
  const store = await openStore({ dialect: 'sqlite', path: `${temporaryFolder()}/controller.db` });
  const { organizationId, deviceIds } = await seed(store);
  for (let made = 0; made < finished; made += 10_000) {
    await finishTasks(store, await insertTasks(store, organizationId, deviceIds, 10_000));
    if (made % 100_000 === 0) tell(`${made} of ${finished} finished tasks`);
  }
  await insertTasks(store, organizationId, deviceIds, backlog);
  return { store, organizationId, deviceIds };
}

async function measure({ store, organizationId, deviceIds }: Prepared): Promise<Figures> {
  const wants = deviceIds.slice(0, 100).map((deviceId) => ({ deviceId, lane: 'script' as const, count: 2 }));
  const list = { organizationId, sortBy: 'created_at', descending: true } as const;
  return {
    headsMicros: await time(() => store.tasks.heads(wants, Date.now(), [])),
    devicesWithPendingMicros: await time(() => store.tasks.devicesWithPending()),
    expireMicros: await time(() => store.tasks.expire(Date.now(), 1_000, { runs: [], onlineDevices: [] })),
    timeOutMicros: await time(() => store.tasks.timeOut(Date.now(), 1_000)),
    startMicros: await timeStarts(store),
    listFirstPageMicros: await time(() => store.tasks.list(list, { page: 1, perPage: 30 })),
  };
}

/** Median microseconds of a call, after a warm-up. */
async function time(call: () => Promise<unknown>): Promise<number> {
  const micros: number[] = [];
  for (let round = 0; round < 60; round += 1) {
    const startedAt = performance.now();
    await call();
    if (round >= 10) micros.push((performance.now() - startedAt) * 1000);
  }
  return median(micros);
}

/** Median microseconds of the committed move of 100 tasks to IN_PROGRESS, each time other tasks. */
async function timeStarts(store: Store): Promise<number> {
  const micros: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    const waiting = await store.tasks.devicesWithPending();
    const wants = waiting.slice(0, 100).map((deviceId) => ({ deviceId, lane: 'script' as const, count: 1 }));
    const heads = await store.tasks.heads(wants, Date.now(), []);
    const startedAt = performance.now();
    await store.transaction(({ tasks }) => tasks.start(heads, Date.now(), 15_000));
    micros.push((performance.now() - startedAt) * 1000);
  }
  return median(micros);
}

async function seed(store: Store): Promise<{ organizationId: string; deviceIds: string[] }> {
  const organizationId = randomUUID();
  const deviceIds = Array.from({ length: devices }, () => randomUUID());
  await store.transaction(async ({ access, devices: table }) => {
    await access.insertOrganization({
      id: organizationId,
      name: 'default',
      displayName: 'Default',
      createdAt: Date.now(),
    });
    for (const [index, id] of deviceIds.entries()) {
      const common = { status: 'ENABLED', labels: {}, agentVersion: '0.1.0', createdAt: Date.now() } as const;
      await table.insert({
        id,
        organizationId,
        name: `device-${index}`,
        publicKey: `key-${index}`,
        ...common,
      });
    }
  });
  return { organizationId, deviceIds };
}

async function insertTasks(
  store: Store,
  organizationId: string,
  deviceIds: string[],
  count: number,
): Promise<NewTask[]> {
  const now = Date.now();
  const tasks = Array.from(
    { length: count },
    (_, index): NewTask => ({
      id: randomUUID(),
      code: drawTaskCode(systemRandom),
      organizationId,
      deviceId: deviceIds[index % deviceIds.length] ?? '',
      runId: null,
      type: 'SCRIPT',
      status: 'PENDING',
      lane: 'script',
      parameters: '{"argv":["uname","-a"],"env":{"LANG":"C"}}',
      force: false,
      createdBy: 'bench',
      createdAt: now,
      scheduledAt: null,
      expiresInMs: 86_400_000,
      timeoutMs: 3_600_000,
      expiresAt: now + 86_400_000,
      retryOf: null,
    }),
  );
  await store.tasks.insert(tasks);
  return tasks;
}

async function finishTasks(store: Store, inserted: NewTask[]): Promise<void> {
  await store.transaction(async ({ tasks }) => {
    await tasks.start(inserted, Date.now(), 15_000);
    const results = inserted.map(({ deviceId, code }) => ({
      deviceId,
      code,
      attempt: 1,
      outcome: 'COMPLETED' as const,
      message: null,
      errorCode: null,
      errorMessage: null,
      result: '{"exit_code":0}',
    }));
    await tasks.finish(results, Date.now());
  });
}
