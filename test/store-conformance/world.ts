import { test } from 'vitest';
import type { NewDevice } from '../../controller/store/devices.ts';
import type { NewRun } from '../../controller/store/runs.ts';
import type { Store } from '../../controller/store/store.ts';
import type { DeviceTask, NewTask, TaskRow } from '../../controller/store/tasks.ts';

/** Opens an empty store; the suite closes it. */
export type OpenStore = () => Promise<Store>;

/** One case: a store of its own with two organizations, `home` and `away`, and nothing else. */
export type Conform = (name: string, body: (world: World) => Promise<void>) => void;

export const conform =
  (open: OpenStore): Conform =>
  (name, body) =>
    test(name, async () => {
      const store = await open();
      try {
        for (const name of ['home', 'away']) {
          await store.access.insertOrganization({ id: name, name, displayName: name, createdAt: 0 });
        }
        await body(new World(store));
      } finally {
        await store.close();
      }
    });

/** Makes rows with only what a case is about; ids count up. */
export class World {
  readonly store: Store;
  #made = 0;

  constructor(store: Store) {
    this.store = store;
  }

  /** Inserts a device of `home`; its id is its name unless said otherwise. */
  async device(name: string, values: Partial<NewDevice> = {}): Promise<string> {
    const device: NewDevice = {
      id: name,
      organizationId: 'home',
      name,
      status: 'ENABLED',
      publicKey: `key of ${values.id ?? name}`,
      labels: {},
      agentVersion: '1.0.0',
      createdAt: 0,
      ...values,
    };
    await this.store.devices.insert(device);
    return device.id;
  }

  /** A PENDING PING for `fw`, made at 0, waiting until 1,000 and then working for 500 at most. */
  task(values: Partial<NewTask> = {}): NewTask {
    this.#made += 1;
    const code = `t${this.#made}`;
    const status = values.status ?? 'PENDING';
    return {
      id: `id-${code}`,
      code,
      organizationId: 'home',
      deviceId: 'fw',
      runId: null,
      type: 'PING',
      status,
      lane: 'read',
      parameters: '{}',
      force: false,
      createdBy: 'ops@example.org',
      createdAt: 0,
      scheduledAt: status === 'SCHEDULED' ? 100 : null,
      expiresInMs: 1000,
      timeoutMs: 500,
      expiresAt: status === 'SCHEDULED' ? null : 1000,
      retryOf: null,
      ...values,
    };
  }

  async insert(...tasks: Partial<NewTask>[]): Promise<NewTask[]> {
    const made = tasks.map((values) => this.task(values));
    await this.store.tasks.insert(made);
    return made;
  }

  /** Inserts one task and starts it at `now`. */
  async started(values: Partial<NewTask> = {}, now = 10): Promise<NewTask> {
    const task = this.task(values);
    await this.store.tasks.insert([task]);
    await this.store.tasks.start([task], now, 0);
    return task;
  }

  /** Inserts one task and completes it at `now`. */
  async completed(values: Partial<NewTask> = {}, now = 20): Promise<NewTask> {
    const task = await this.started(values, Math.min(10, now));
    await this.store.tasks.finish([completion(task)], now);
    return task;
  }

  async run(id: string, values: Partial<NewRun> = {}): Promise<string> {
    await this.store.runs.insert({
      id,
      organizationId: 'home',
      type: 'PING',
      trigger: 'manual',
      parameters: '{}',
      rollout: null,
      total: 1,
      skipped: [],
      createdBy: 'ops@example.org',
      createdAt: 0,
      scheduledAt: null,
      ...values,
    });
    return id;
  }

  async row(task: { code: string }): Promise<TaskRow> {
    const row = await this.store.tasks.get(undefined, task.code);
    if (!row) throw new Error(`no task ${task.code}`);
    return row;
  }

  async status(task: { code: string }): Promise<string> {
    return (await this.row(task)).status;
  }
}

/** What a device reports when all went well. */
export const completion = ({ deviceId, code }: DeviceTask) => ({
  deviceId,
  code,
  attempt: 1,
  outcome: 'COMPLETED' as const,
  message: 'done',
  errorCode: null,
  errorMessage: null,
  result: '{"round_trip_ms":12}',
});

export const failure = (task: DeviceTask) => ({
  ...completion(task),
  outcome: 'FAILED' as const,
  message: null,
  errorCode: 'exit_code',
  errorMessage: 'The script ended with 3',
  result: null,
});

export const codes = (rows: readonly { code: string }[]): string[] => rows.map(({ code }) => code).sort();
