import type { Bus } from '../../controller/bus/bus.ts';
import { createInProcessBus } from '../../controller/bus/in-process.ts';
import { type ControllerCore, type ControllerSettings, createControllerCore } from '../../controller/core.ts';
import { openStore } from '../../controller/store/open.ts';
import type { Store } from '../../controller/store/store.ts';
import type { FrameSocket } from '../../shared/frame-socket.ts';
import type { KeyPair } from '../../shared/node/keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Sqlite } from '../../shared/node/sqlite.ts';
import { type DiskFaults, processDatabase } from './crashing-database.ts';
import { Process, ProcessDied, WallClock } from './process.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { Trace } from './trace.ts';

export interface ControllerNodeParts {
  scheduler: Scheduler;
  trace: Trace;
  random: SeededRandom;
  log: Logger;
  bornAt: number;
  /** The database file: it outlives every process. */
  raw: Sqlite;
  keys: KeyPair;
  settings: ControllerSettings;
  /** Probability that a wake-up on the bus is lost. */
  lostWakeUps: number;
  /** Told after every commit. */
  committed: () => void;
  /** Told when it takes requests. */
  started: (core: ControllerCore, process: Process) => void;
  /** Told when a loop of a living controller failed: a bug. */
  failed: (error: unknown) => void;
  plantStore: (store: Store, database: Sqlite) => Store;
  plantSocket: (deviceId: string, socket: FrameSocket, open: (socket: FrameSocket) => void) => void;
}

/** A stop may take so long, simulated. */
const stopMs = 60_000;
export const controllerId = 'simulated-controller';
export const accountId = '00000000-0000-4000-8000-000000000002';
export const organizationId = '00000000-0000-4000-8000-000000000001';

/** The controller's machine: one program that starts, crashes and starts again over the same database. */
export class ControllerNode {
  readonly wall: WallClock;
  process: Process | undefined;
  core: ControllerCore | undefined;
  readonly faults: DiskFaults = { crash: undefined, full: undefined };
  readonly #parts: ControllerNodeParts;
  #stop = new AbortController();
  #stopped: (() => void) | undefined;
  #lives = 0;

  constructor(parts: ControllerNodeParts) {
    this.#parts = parts;
    this.wall = new WallClock(parts.scheduler, parts.bornAt);
  }

  start(): void {
    if (this.process?.alive) return;
    const { scheduler, raw, committed, failed, trace } = this.#parts;
    this.#lives += 1;
    trace.add('controller', `starts (life ${this.#lives})`);
    const process = new Process('controller', scheduler, this.wall);
    this.process = process;
    this.#stop = new AbortController();
    this.#stopped = undefined;
    const database = processDatabase({ raw, process, faults: this.faults, committed });
    this.#run(process, database).then(
      () => {
        if (!process.alive) return;
        if (this.#stopped) this.#stopped();
        else failed(new Error('the controller ended by itself'));
      },
      (error: unknown) => {
        if (process.alive && !(error instanceof ProcessDied)) failed(error);
      },
    );
  }

  crash(): void {
    if (!this.process?.alive) return;
    this.#parts.trace.add('controller', 'crashes');
    this.core = undefined;
    this.process.die();
  }

  /** Stops the program politely; it must end by itself. */
  stop(stopped: () => void): void {
    const { process } = this;
    if (!process?.alive || !this.core) return;
    const { trace, scheduler, failed } = this.#parts;
    trace.add('controller', 'is stopped');
    this.core = undefined;
    this.#stopped = () => {
      process.die();
      stopped();
    };
    scheduler.after(stopMs, () => {
      if (process.alive) failed(new Error(`the controller did not stop within ${stopMs} ms`));
    });
    this.#stop.abort(new Error('the controller is stopped'));
  }

  openLink(deviceId: string, socket: FrameSocket): void {
    this.#parts.plantSocket(deviceId, socket, (planted) =>
      this.core?.openLink({ id: deviceId, organizationId }, planted),
    );
  }

  async #run(process: Process, database: Sqlite): Promise<void> {
    const { random, log, settings, keys } = this.#parts;
    const store = this.#parts.plantStore(await openStore({ dialect: 'sqlite', database }), database);
    if (!process.alive) return;
    this.core = createControllerCore({
      store,
      bus: lossyBus(random.split(`bus ${this.#lives}`), this.#parts.lostWakeUps),
      clock: process.clock,
      random: random.split(`controller ${this.#lives}`),
      log,
      identity: { controllerId, keys },
      settings,
    });
    this.#parts.started(this.core, process);
    await this.core.run(this.#stop.signal);
  }
}

/** Wake-ups are only hints: losing any of them must cost nothing but time. */
function lossyBus(random: SeededRandom, lost: number): Bus {
  const bus = createInProcessBus();
  return {
    ...bus,
    publish: (topic, message) => {
      const isHint = topic === 'devices' || topic === 'deadlines' || topic === 'events';
      if (!isHint || lost === 0 || !random.chance(lost)) bus.publish(topic, message);
    },
  };
}
