import type { AgentConfig } from '../../agent/config.ts';
import { type AgentCore, createAgentCore } from '../../agent/core.ts';
import { handlers } from '../../agent/handlers/registry.ts';
import type { FrameSocket } from '../../shared/frame-socket.ts';
import type { SavedDisk } from '../../agent/transaction/memory/memory-disk.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import { type DiskFaults, processDatabase } from './crashing-database.ts';
import { currentExecution, type Handlers, type RecorderParts, recordExecutions } from './executions.ts';
import type { Ledger, MachineEvent } from './ledger.ts';
import type { Learns } from './connection.ts';
import { createMachine } from './machine.ts';
import type { Network } from './network.ts';
import { ManagedMachine, type ManagedMachineParts } from './managed-machine.ts';
import { Process, ProcessDied, WallClock } from './process.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { SyncOrders } from './sync-orders.ts';
import type { Trace } from './trace.ts';

export interface DeviceNodeParts {
  id: string;
  name: string;
  scheduler: Scheduler;
  trace: Trace;
  ledger: Ledger;
  random: SeededRandom;
  log: Logger;
  network: Network;
  bornAt: number;
  controllerKey: string;
  config: AgentConfig;
  orders: SyncOrders;
  plantMachine: ManagedMachineParts['plant'];
  plantHandlers: (handlers: Handlers) => Handlers;
  plantSocket: (socket: FrameSocket) => FrameSocket;
}

/** Everything on a device's disk. */
export interface DeviceSnapshot {
  database: Buffer;
  disk: SavedDisk;
}

/** A polite stop may take so long: what the agent gives its tasks, and some more. */
const stopMs = 90_000;

/** A machine with an agent: power, reboots, crashes of the agent, and a disk that outlives them. */
export class DeviceNode {
  readonly wall: WallClock;
  /** The database file. */
  raw: Sqlite;
  readonly faults: DiskFaults = { crash: undefined, full: undefined };
  /** What can be configured on it. */
  readonly managed: ManagedMachine;
  readonly #parts: DeviceNodeParts;
  readonly #bootId = { value: '' };
  #boot: Process | undefined;
  #agent: Process | undefined;
  #core: AgentCore | undefined;
  #stop = new AbortController();
  #stopped: (() => void) | undefined;
  #draining = false;
  #lives = 0;

  constructor(parts: DeviceNodeParts) {
    this.#parts = parts;
    this.wall = new WallClock(parts.scheduler, parts.bornAt);
    this.raw = openSqlite(':memory:');
    const { id: deviceId, name, scheduler, trace, ledger, random, orders, network, plantMachine } = parts;
    const delays = random.split('new connections');
    this.managed = new ManagedMachine({
      deviceId,
      name,
      scheduler,
      trace,
      ledger,
      random: random.split('managed'),
      orders,
      unreachable: () => network.problem(deviceId),
      delayMs: () => delays.integer(5, delays.chance(0.02) ? 2_000 : 100),
      plant: plantMachine,
    });
  }

  get id(): string {
    return this.#parts.id;
  }

  get name(): string {
    return this.#parts.name;
  }

  get agentRuns(): boolean {
    return this.#agent?.alive ?? false;
  }

  powerOn(): void {
    if (this.#boot?.alive) return;
    const { scheduler, name, random } = this.#parts;
    this.#boot = new Process(`${name} (machine)`, scheduler, this.wall);
    this.#bootId.value = random.uuid();
    this.#note('booted');
    const boot = this.#boot;
    const agentAfterMs = random.integer(100, 2_000);
    void this.managed.boot(boot, this.#bootId.value).then(() => {
      if (boot.alive) this.#startAgentAfter(agentAfterMs);
    });
  }

  /** Power cut, reboot or power off; what was under way to the controller is lost in part. */
  goDown(offMs: number): void {
    if (!this.#boot?.alive) return;
    const { random, network, scheduler } = this.#parts;
    this.#killAgent();
    this.#boot.die();
    this.managed.down();
    this.#note('went down');
    network.cutAll(this.id, {
      agentLearns: 'never',
      controllerLearns: random.pick<Learns>([random.integer(1, 3_000), 'in order', 'never']),
      upArrive: random.pick([0, 1, 100]),
      downArrive: 0,
      lateMs: random.pick([0, 0, 5_000]),
    });
    scheduler.after(offMs, () => this.powerOn());
  }

  /** The agent dies (kill -9); the service manager starts the next one. */
  crashAgent(downMs: number): void {
    if (!this.#agent?.alive) return;
    const { random, network } = this.#parts;
    this.#killAgent();
    network.cutAll(this.id, {
      agentLearns: 'never',
      controllerLearns: 'in order',
      upArrive: random.pick([0, 1, 2, 100]),
      downArrive: 0,
      lateMs: 0,
    });
    this.#startAgentAfter(downMs);
  }

  /** Stops the agent politely, and starts the next one. */
  restartAgent(downMs: number): void {
    const agent = this.#agent;
    const { ledger, scheduler, name } = this.#parts;
    if (!agent?.alive || !this.#core || this.#draining) return;
    this.#draining = true;
    this.#note('agent stops');
    scheduler.after(stopMs, () => {
      if (!agent.alive) return;
      // On a slow disk the way back takes its time: the service manager kills the agent, and the guard goes on.
      if (this.managed.isPending) this.crashAgent(downMs);
      else ledger.bugs.push(`${name}: the agent did not stop within ${stopMs} ms`);
    });
    this.#core.drain().then(
      () => this.#stop.abort(new Error('the agent is stopped')),
      (error: unknown) => {
        if (agent.alive) ledger.bugs.push(`${name}: the agent did not drain: ${String(error)}`);
      },
    );
    this.#stopped = () => this.crashAgent(downMs);
  }

  /** The disk is replaced by an empty one. */
  wipe(downMs: number): void {
    if (!this.#boot?.alive) return;
    this.goDown(downMs);
    this.raw = openSqlite(':memory:');
    this.managed.wipe();
    this.#note('wiped');
  }

  /** Undefined while it holds a task: putting back a task that was about to start is beyond what can be noticed. */
  snapshot(): DeviceSnapshot | undefined {
    const isNew = this.raw.pragma('user_version', { simple: true }) === 0;
    const isBusy = isNew || this.raw.inTransaction || this.#holdsTasks();
    if (isBusy || this.managed.isPending) return undefined;
    return { database: this.raw.serialize(), disk: this.managed.disk.save() };
  }

  /** The disk is put back to an earlier state. */
  restore(snapshot: DeviceSnapshot, downMs: number): void {
    if (!this.#boot?.alive) return;
    this.goDown(downMs);
    this.raw = openSqlite(snapshot.database);
    this.managed.load(snapshot.disk);
    this.#note('restored');
  }

  #holdsTasks(): boolean {
    return this.raw.prepare(`SELECT 1 FROM tasks WHERE state <> 'finished'`).get() !== undefined;
  }

  #killAgent(): void {
    if (!this.#agent?.alive) return;
    this.#agent.die();
    this.#note('agent died');
  }

  #startAgentAfter(ms: number): void {
    const boot = this.#boot;
    this.#parts.scheduler.after(ms, () => {
      if (boot?.alive && !this.agentRuns) this.#startAgent(boot);
    });
  }

  #startAgent(boot: Process): void {
    const { scheduler, name, ledger } = this.#parts;
    this.#lives += 1;
    const agent = new Process(name, scheduler, this.wall);
    this.#agent = agent;
    // Until what an earlier one left is ended there is none.
    this.#core = undefined;
    this.#stop = new AbortController();
    this.#stopped = undefined;
    this.#draining = false;
    this.#note('agent started');
    const database = processDatabase({
      raw: this.raw,
      process: agent,
      faults: this.faults,
      committed: () => {},
    });
    this.#serve(boot, agent, database).then(
      () => {
        if (!agent.alive) return;
        if (this.#stopped) this.#stopped();
        else ledger.bugs.push(`${name}: the agent ended by itself`);
      },
      (error: unknown) => {
        if (!agent.alive || error instanceof ProcessDied) return;
        ledger.bugs.push(
          `${name}: the agent failed: ${error instanceof Error ? error.stack : String(error)}`,
        );
      },
    );
  }

  async #serve(boot: Process, agent: Process, db: Sqlite): Promise<void> {
    const managed = await this.managed.serve(agent);
    if (agent.alive) await this.#run(boot, agent, { db, managed });
  }

  #run(boot: Process, agent: Process, { db, managed }: { db: Sqlite; managed: Handlers }): Promise<void> {
    const { id, log, network, controllerKey, config, trace, ledger, plantHandlers, plantSocket } =
      this.#parts;
    const random = this.#parts.random.split(`life ${this.#lives}`);
    const recorder: RecorderParts = {
      ledger,
      trace,
      deviceId: id,
      agent,
      agentLife: this.#lives,
      bootId: () => this.#bootId.value,
      codeOnDisk: (type) => this.#codeOnDisk(type),
    };
    const core = createAgentCore({
      db,
      system: createMachine({
        boot,
        agent,
        random: random.split('machine'),
        bootId: this.#bootId,
        hooks: this.#powerHooks(boot, random.split('power')),
        executionOf: (verb) => currentExecution(recorder, verb),
      }),
      dial: async (signal) => plantSocket(await network.dial({ deviceId: id, process: agent, signal })),
      identity: { deviceId: id, controllerKey },
      clock: agent.clock,
      random,
      log,
      config,
      handlers: recordExecutions(plantHandlers({ ...handlers, ...managed }), recorder),
    });
    this.#core = core;
    return core.run(this.#stop.signal);
  }

  #powerHooks(boot: Process, random: SeededRandom) {
    const ifUp = (work: () => void) => () => {
      if (boot.alive) work();
    };
    return {
      onReboot: ifUp(() => this.goDown(random.integer(2_000, 15_000))),
      onPowerOff: ifUp(() => this.goDown(random.integer(3_000, 240_000))),
      onRestartAgent: ifUp(() => this.crashAgent(random.integer(100, 2_000))),
    };
  }

  #codeOnDisk(type: string): string | undefined {
    return this.raw
      .prepare<[string], { code: string }>(`SELECT code FROM tasks WHERE type = ? AND state <> 'finished'`)
      .get(type)?.code;
  }

  #note(what: MachineEvent['what']): void {
    const { ledger, trace, scheduler, id, name } = this.#parts;
    const bootId = this.#bootId.value;
    ledger.machines.push({ deviceId: id, what, bootId, at: scheduler.now, order: ledger.next() });
    trace.add(name, what === 'booted' ? `booted ${bootId}` : what);
  }
}
