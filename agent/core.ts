import type { Clock, Random } from '../shared/clock.ts';
import { ControllerKeys } from '../shared/node/controller-keys.ts';
import type { Logger } from '../shared/node/logger.ts';
import { isDiskFull, type Sqlite } from '../shared/node/sqlite.ts';
import type { Hello } from '../shared/protocol/hello.ts';
import { protocolRange } from '../shared/protocol/version.ts';
import { type TaskType, taskTypeNames } from '../shared/task-types/task-type.ts';
import type { AgentConfig } from './config.ts';
import { handlers as allHandlers } from './handlers/registry.ts';
import { ControllerClock } from './link/controller-clock.ts';
import type { Dial } from './link/dial-refused.ts';
import { FactsKeeper } from './loops/facts.ts';
import { LinkLoop } from './loops/link.ts';
import type { KeyRotation } from './loops/session.ts';
import { type AgentStatus, LinkStatus } from './loops/status.ts';
import { untilAborted } from './loops/until-aborted.ts';
import { Offers } from './runner/offers.ts';
import { allowsType } from './runner/policy.ts';
import type { PluginTypes, Runnable } from './runner/find-handler.ts';
import { type Handlers, Runner } from './runner/runner.ts';
import { Acknowledgements } from './store/acknowledgements.ts';
import { AgentStore } from './store/agent-store.ts';
import type { System } from './system/system.ts';

export interface AgentParts {
  /** Opened and closed by whoever composes the agent; it outlives a core. */
  db: Sqlite;
  system: System;
  dial: Dial;
  identity: { deviceId: string; controllerKey: string };
  /** Whose orders are obeyed; absent: of `identity.controllerKey` alone. */
  controllerKeys?: ControllerKeys;
  /** Absent: the device keeps the key it has. */
  keyRotation?: KeyRotation;
  clock: Clock;
  random: Random;
  log: Logger;
  config: AgentConfig;
  /** Who this process runs as, for the policy about scripts without a user. */
  ownUser?: string;
  /** Shared with `dial`, so that tokens are valid by the controller's clock. */
  controllerClock?: ControllerClock;
  handlers?: Handlers;
  /** Task types that come and go. */
  plugins?: PluginTypes;
  /** Not all handlers could be had: tasks that need the others are left to the next life. */
  isPartial?: boolean;
  /** Frees disk space that was held in reserve. */
  makeRoom?: () => void;
}

export interface AgentCore {
  /**
   * Opens an epoch, picks up what was interrupted, and serves the controller until `signal` is aborted: then everything ends at
   * once, as in a crash, and nothing touches the database any more. Rejects when the agent fails inside.
   */
  run(signal: AbortSignal): Promise<void>;
  /** Takes nothing new, lets running tasks end for a while, delivers what it can. Afterwards `run` is to be aborted. */
  drain(): Promise<void>;
  status(): AgentStatus;
  /** Whether this agent does its work: its database takes a write, and its link does what it is about to do. A full disk is no reason to die. */
  isAlive(): boolean;
}

const diskRetryMs = 5_000;
/** As `hello` allows; plugins could have more. */
const maxTaskTypes = 256;
/** How long a drain waits for the controller to acknowledge the last reports. */
const farewellMs = 2_000;

/** One life of an agent. Reaches rest by microtasks, the clock's sleeps and the socket only. */
export function createAgentCore(parts: AgentParts): AgentCore {
  return new Core(parts);
}

/** What exists once the database is open and the boot id is known. */
interface Life {
  store: AgentStore;
  runner: Runner;
  link: LinkLoop;
  facts: FactsKeeper;
  acknowledgements: Acknowledgements;
  bootId: string;
}

class Core implements AgentCore {
  readonly #parts: AgentParts;
  readonly #handlers: Handlers;
  readonly #controllerClock: ControllerClock;
  readonly #controllerKeys: ControllerKeys;
  readonly #linkStatus: LinkStatus;
  readonly #instanceId: string;
  /** Aborted with the first failure inside. */
  readonly #failure = new AbortController();
  #draining = false;
  #life: Life | undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#handlers = parts.handlers ?? allHandlers;
    this.#controllerClock = parts.controllerClock ?? new ControllerClock(parts.clock);
    this.#controllerKeys =
      parts.controllerKeys ??
      new ControllerKeys({
        controllerId: '',
        pinned: parts.identity.controllerKey,
        now: () => this.#controllerClock.now(),
      });
    this.#linkStatus = new LinkStatus(parts.clock);
    this.#instanceId = parts.random.uuid();
  }

  async run(outer: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([outer, this.#failure.signal]);
    try {
      const store = await this.#openStore(signal);
      // First of all listeners: nobody may write after the abort, not even on hearing of it.
      signal.addEventListener('abort', () => store.close(), { once: true });
      const bootId = await untilAborted(this.#parts.system.power.bootId(), signal);
      await this.#live(this.#begin(store, bootId, signal), signal);
    } catch (error) {
      if (!outer.aborted) throw this.#failure.signal.aborted ? this.#failure.signal.reason : error;
    } finally {
      this.#linkStatus.become('stopped');
    }
  }

  async drain(): Promise<void> {
    const { clock, config } = this.#parts;
    this.#draining = true;
    this.#linkStatus.become('draining');
    const life = this.#life;
    if (!life) return;
    await life.runner.drain(config.drain_seconds * 1000);
    const lastSeq = life.store.outbox.lastSeq();
    if (this.#linkStatus.current.session !== null && life.store.outbox.size().rows > 0) {
      const over = new AbortController();
      const waited = clock.sleep(farewellMs, over.signal).catch(() => undefined);
      const acked = life.acknowledgements.reached(lastSeq, over.signal).catch(() => undefined);
      await Promise.race([waited, acked]);
      over.abort(new Error('drained'));
    }
    life.link.close();
  }

  status(): AgentStatus {
    const { store, bootId } = this.#life ?? {};
    const open = store && !store.closed ? store : undefined;
    return {
      ...this.#linkStatus.current,
      instanceId: this.#instanceId,
      bootId: bootId ?? null,
      epoch: store?.epoch ?? null,
      storeId: store?.storeId ?? null,
      tasks: open?.tasks.held().map(({ code, type, state }) => ({ code, type, state })) ?? [],
      outbox: open?.outbox.size() ?? { rows: 0, bytes: 0 },
    };
  }

  isAlive(): boolean {
    const { store } = this.#life ?? {};
    if (!store || store.closed) return true; // it begins, or ends; both are watched by others
    try {
      store.write(() => store.kv.set('aliveAt', this.#parts.clock.now()));
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
    return this.#linkStatus.isMoving;
  }

  /** A new epoch must be on disk before anything is said under it, so a full disk is waited for. */
  async #openStore(signal: AbortSignal): Promise<AgentStore> {
    const { db, random, config, clock, log, makeRoom } = this.#parts;
    for (;;) {
      signal.throwIfAborted();
      try {
        return new AgentStore(db, random, {
          maxLogRows: config.outbox.max_log_rows,
          maxLogBytes: config.outbox.max_log_bytes,
          maxLogAgeMs: config.outbox.max_log_age_seconds * 1000,
        });
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        log.error({ event: 'agent.disk_full', err: error }, 'no room to begin an epoch, trying again');
        makeRoom?.();
        await clock.sleep(diskRetryMs, signal);
      }
    }
  }

  #begin(store: AgentStore, bootId: string, signal: AbortSignal): Life {
    const { system, clock, random, log, makeRoom } = this.#parts;
    const acknowledgements = new Acknowledgements(store.outbox);
    const facts = new FactsKeeper({ facts: system.facts, store, clock, log }, () => link.factsChanged());
    const runner = new Runner(
      {
        store,
        acknowledgements,
        system,
        clock,
        random,
        log,
        instanceId: this.#instanceId,
        bootId,
        ...this.#runnable,
        controllerNow: () => this.#controllerClock.now(),
        roundTrip: (until) => link.roundTrip(until),
        onError: (error) => this.#failure.abort(error),
        makeRoom: () => {
          makeRoom?.();
          dropLogs(store);
        },
      },
      signal,
    );
    const link = this.#link({ store, runner, facts, bootId });
    this.#parts.plugins?.onChange(() => {
      facts.collectNow();
      link.dialAnew('the plugins of the device changed');
    });
    this.#life = { store, runner, link, facts, acknowledgements, bootId };
    return this.#life;
  }

  #link({ store, runner, facts, bootId }: Pick<Life, 'store' | 'runner' | 'facts' | 'bootId'>): LinkLoop {
    const { identity, clock, random, log, config, dial, keyRotation, ownUser = 'root' } = this.#parts;
    const controllerKeys = this.#controllerKeys;
    const controllerClock = this.#controllerClock;
    const offers = new Offers({
      store,
      ...this.#runnable,
      clock,
      log,
      deviceId: identity.deviceId,
      controllerKeys: this.#controllerKeys,
      policy: config.policy,
      ownUser,
      slots: config.slots,
      controllerNow: () => controllerClock.now(),
      isDraining: () => this.#draining,
    });
    return new LinkLoop({
      dial,
      clock,
      random,
      log,
      status: this.#linkStatus,
      session: {
        ...{ store, runner, offers, clock, controllerClock, controllerKeys, log },
        ...(keyRotation && { keyRotation }),
        factsSheet: () => facts.sheet,
      },
      hello: (connection) => this.#hello(store, bootId, facts.sheet?.digest ?? '', connection),
    });
  }

  /** Runs every loop until all have ended; the first failure ends the others. */
  async #live({ runner, link, facts }: Life, signal: AbortSignal): Promise<void> {
    runner.recover();
    const loops = [link.run(signal), facts.run(signal)].map((loop) =>
      loop.catch((error: unknown) => {
        if (!signal.aborted) this.#failure.abort(error);
      }),
    );
    await Promise.all(loops);
    await runner.idle();
    signal.throwIfAborted();
  }

  #hello(store: AgentStore, bootId: string, factsDigest: string, connection: number): Hello {
    const { config, clock } = this.#parts;
    return {
      type: 'hello',
      protocol: { ...protocolRange },
      agentVersion: config.version,
      bootId,
      instanceId: this.#instanceId,
      epoch: store.epoch,
      connection,
      storeId: store.storeId,
      taskTypes: this.#taskTypes(),
      slots: config.slots,
      tasks: store.tasks.held().map(({ code, attempt, state }) => ({ code, attempt, state })),
      lastSeq: store.outbox.lastSeq(),
      clock: clock.now(),
      factsDigest,
      ...this.#controllerKeys.known,
    };
  }

  #taskTypes(): TaskType[] {
    const builtIn = taskTypeNames.filter((type) => this.#handlers[type] !== undefined);
    const types = [...builtIn, ...(this.#parts.plugins?.types() ?? [])];
    return types.filter((type) => allowsType(this.#parts.config.policy, type)).slice(0, maxTaskTypes);
  }

  get #runnable(): Runnable {
    const { plugins, isPartial } = this.#parts;
    return { handlers: this.#handlers, plugins, isPartial };
  }
}

/** Log lines make room for what must not be lost. */
function dropLogs(store: AgentStore): void {
  try {
    store.write(() => store.outbox.dropHalfOfLogs());
  } catch (error) {
    if (!isDiskFull(error)) throw error;
  }
}
