import { beforeAll, describe, expect, test } from 'vitest';
import { createInProcessBus } from '../../controller/bus/in-process.ts';
import { createControllerCore, defaultSettings } from '../../controller/core.ts';
import { emptyDatabase, openStore } from '../../controller/store/open.ts';
import type { Clock } from '../../shared/clock.ts';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { silentLogger } from '../../shared/node/logger.ts';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import { type CommitSide, type DiskFaults, processDatabase } from './crashing-database.ts';
import { Process, ProcessDied, WallClock } from './process.ts';
import { seededRandom } from './random.ts';
import { Scheduler } from './scheduler.ts';

const bornAt = Date.UTC(2026, 0, 1);
const minuteMs = 60_000;
/** More than share a commit. */
const schedules = 150;
const organization = { id: 'home', name: 'home', displayName: 'Home', createdAt: 0 };
const actor = { name: 'ops@example.org', organizationId: 'home', ipAddress: null, requestId: null };

let empty: Buffer;
beforeAll(async () => {
  empty = await emptyDatabase();
});

/** A machine whose controller may crash at any commit and starts again over the same database. */
class Machine {
  readonly scheduler = new Scheduler();
  readonly raw: Sqlite;
  readonly faults: DiskFaults = { crash: undefined, full: undefined };
  readonly #wall = new WallClock(this.scheduler, bornAt);
  #lives = 0;

  readonly #name: string;

  constructor(image: Buffer, name: string) {
    this.#name = name;
    this.raw = openSqlite(image);
  }

  /** One life of the controller until then, or until it crashes. */
  async live(untilMs: number, prepare?: (core: ReturnType<typeof createControllerCore>) => Promise<void>) {
    const process = new Process('controller', this.scheduler, this.#wall);
    this.#lives += 1;
    const stop = new AbortController();
    const { crash } = this.faults;
    if (crash) crash.crash = () => process.die();
    const running = this.#run(process, stop.signal, prepare).catch((error: unknown) => {
      if (!(error instanceof ProcessDied)) throw error;
    });
    await this.scheduler.run(untilMs, () => !process.alive);
    const crashed = !process.alive;
    process.die();
    stop.abort();
    void running;
    return { crashed };
  }

  async #run(
    process: Process,
    signal: AbortSignal,
    prepare: ((core: ReturnType<typeof createControllerCore>) => Promise<void>) | undefined,
  ): Promise<void> {
    const database = processDatabase({
      raw: this.raw,
      process,
      faults: this.faults,
      committed: () => undefined,
    });
    const core = createControllerCore({
      store: await openStore({ dialect: 'sqlite', database }),
      bus: createInProcessBus(),
      clock: process.clock satisfies Clock,
      random: seededRandom(`${this.#name} ${this.#lives}`),
      log: silentLogger(),
      identity: { controllerId: 'controller', keys: generateKeyPair() },
      settings: { ...defaultSettings, pollMs: 5_000 },
    });
    await prepare?.(core);
    await core.run(signal);
  }

  rows<Row>(text: string): Row[] {
    return this.raw.prepare<[], Row>(text).all();
  }
}

/** Schedules that are all due at the first minute, on a device that is away. */
async function prepared(): Promise<Buffer> {
  const machine = new Machine(empty, 'prepared');
  const store = await openStore({ dialect: 'sqlite', database: machine.raw });
  await store.access.insertOrganization(organization);
  await store.devices.insert({
    id: 'fw',
    organizationId: 'home',
    name: 'fw',
    status: 'ENABLED',
    publicKey: 'key',
    labels: {},
    agentVersion: '1.0.0',
    createdAt: 0,
  });
  await machine.live(1_000, async ({ schedules: made }) => {
    const request = { type: 'PING', targets: { devices: ['fw'] } };
    for (let index = 0; index < schedules; index += 1) {
      await made.create(actor, {
        name: `schedule ${index}`,
        cron: '1 0 * * *',
        scheduled_tasks: [{ kind: 'RUN', request }],
      });
    }
  });
  return machine.raw.serialize();
}

describe.each<CommitSide>(['before', 'after'])('a crash %s any commit', (side) => {
  test('fires every schedule that is due once, with its run and its task', async () => {
    const image = await prepared();
    let crashes = 0;
    for (let commits = 1; ; commits += 1) {
      const machine = new Machine(image, `crash ${commits}`);
      machine.faults.crash = { commits, side, crash: () => undefined };
      const { crashed } = await machine.live(2 * minuteMs);
      machine.faults.crash = undefined;
      await machine.live(4 * minuteMs);

      const what = `${side} commit ${commits}`;
      const fired = machine.rows<{ scheduled_task: string; run_id: string }>(
        "select scheduled_task, run_id from firings where outcome = 'fired'",
      );
      expect(new Set(fired.map((row) => row.scheduled_task)).size, what).toBe(schedules);
      expect(fired, what).toHaveLength(schedules);
      const tasks = machine.rows<{ run_id: string }>('select run_id from tasks');
      expect(tasks.map((row) => row.run_id).sort(), what).toEqual(fired.map((row) => row.run_id).sort());
      expect(machine.rows('select id from runs'), what).toHaveLength(schedules);
      const due = machine.rows<{ next_at: number }>('select next_at from schedule_times');
      expect(new Set(due.map((row) => row.next_at)), what).toEqual(new Set([bornAt + minuteMs + 86_400_000]));
      if (!crashed) break;
      crashes += 1;
    }
    expect(crashes).toBeGreaterThan(1);
  });
});
