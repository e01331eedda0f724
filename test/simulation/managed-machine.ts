import { createSyncHandler } from '../../agent/handlers/sync.ts';
import type { TransactionMachine } from '../../agent/transaction/machine.ts';
import { type SavedDisk, MemoryDisk } from '../../agent/transaction/memory/memory-disk.ts';
import {
  bootMemoryMachine,
  type MemoryMachine,
  type MemoryMachineParts,
} from '../../agent/transaction/memory/memory-machine.ts';
import { memoryProfile } from '../../agent/transaction/memory/memory-profile.ts';
import { endPendingTransaction } from '../../agent/transaction/recover-transaction.ts';
import type { TransactionParts } from '../../agent/transaction/transaction-parts.ts';
import { TaskError } from '../../shared/errors.ts';
import type { ProbeAttempt } from '../../shared/task-types/sync.ts';
import { aroundMachine } from '../harness/around-machine.ts';
import { memoryKeys } from '../harness/memory-orders.ts';
import type { Handlers } from './executions.ts';
import type { Ledger } from './ledger.ts';
import type { Process } from './process.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import { managedFiles, type SyncOrders, textOfFile, wholeContent } from './sync-orders.ts';
import type { Trace } from './trace.ts';

/** When a machine or its agent is to die: at the thing they do to the machine that brings `steps` to 0. */
export interface PlannedDeath {
  steps: number;
  side: 'before' | 'after';
  die: () => void;
}

export interface ManagedMachineParts {
  deviceId: string;
  name: string;
  scheduler: Scheduler;
  trace: Trace;
  ledger: Ledger;
  random: SeededRandom;
  orders: SyncOrders;
  /** Why a new connection to the controller fails, apart from what the machine itself does. */
  unreachable: () => string | undefined;
  delayMs: () => number;
  plant: {
    boot?: (parts: MemoryMachineParts) => Promise<MemoryMachine>;
    machine?: (machine: TransactionMachine, memory: MemoryMachine) => TransactionMachine;
  };
}

const servicesStart = 'the services start';

/** Writing rarely takes longer than a window to confirm; more often where that matters most. */
const slowChance = { confirm: 0.08, other: 0.006 };
const longestWriteMs = 70_000;

/** What a device has that can be configured: its disk outlives boots, the rest is new with each. */
export class ManagedMachine {
  /** Of the agent's work, and of the machine as a whole. */
  readonly deaths: { agent: PlannedDeath | undefined; power: PlannedDeath | undefined } = {
    agent: undefined,
    power: undefined,
  };
  disk = new MemoryDisk();
  readonly #parts: ManagedMachineParts;
  readonly #delays: SeededRandom;
  #memory: MemoryMachine | undefined;

  constructor(parts: ManagedMachineParts) {
    this.#parts = parts;
    this.#delays = parts.random.split('writes');
    this.wipe();
  }

  /** New connections to the controller fail because of what the services were told. */
  get lockedOut(): boolean {
    return this.#memory?.services.lockedOut ?? false;
  }

  /** Puts back what was not confirmed, and starts the services. */
  async boot(boot: Process, bootId: string): Promise<void> {
    const { ledger, deviceId, trace, name, plant } = this.#parts;
    const memory = await (plant.boot ?? bootMemoryMachine)({
      profile: memoryProfile,
      clock: boot.clock,
      bootId,
      disk: this.disk,
      step: () => this.#write(boot),
      recorded: (transaction, { state, detail }) => {
        trace.add(name, `transaction ${transaction}: ${state} ${detail}`);
        ledger.record({ deviceId, transaction, state, at: trace.now });
      },
    });
    if (!boot.alive) return;
    this.#memory = memory;
    memory.services.changed = () => this.#noteLockOut();
    this.#noteLockOut();
    this.requireWhole(servicesStart);
  }

  /** The power fails. */
  down(): void {
    this.disk.files.powerCut();
    this.#memory = undefined;
    this.deaths.power = undefined;
    this.#noteLockOut();
  }

  /** The disk of a machine that is down is as it was delivered. */
  wipe(): void {
    this.disk = new MemoryDisk();
    for (const path of managedFiles) this.disk.files.edit(path, textOfFile(0, path));
  }

  load(saved: SavedDisk): void {
    this.disk = new MemoryDisk();
    this.disk.load(saved);
  }

  /** Whether a transaction is not over. */
  get isPending(): boolean {
    const over = ['CONFIRMED', 'ROLLED_BACK', 'ROLLBACK_FAILED', 'REJECTED'];
    return [...this.disk.transactions.values()].some(
      ({ journal }) => !over.includes(journal.at(-1)?.state ?? ''),
    );
  }

  /** The files on the disk must be those that were confirmed last, all of them. */
  requireWhole(when: string): void {
    const { ledger, name, orders, deviceId } = this.#parts;
    if (this.isPending && when !== servicesStart) {
      ledger.mixtures.push(`${name} has a transaction that is not over when ${when}`);
    }
    const newest = [...this.disk.transactions.values()].findLast(
      ({ journal }) => journal.at(-1)?.state === 'CONFIRMED',
    );
    const confirmed = newest?.toConfirm ?? this.disk.confirmed;
    const expected = confirmed === undefined ? 0 : orders.contentOf(deviceId, confirmed.generation);
    const found = wholeContent(this.disk.files.durableTexts());
    if (found === expected) return;
    const has = found === undefined ? 'a mixture' : `content ${found}`;
    ledger.mixtures.push(`${name} has ${has} instead of content ${expected} when ${when}`);
  }

  /** For one agent process: ends what nobody knows any more, and hands out the handler. */
  async serve(agent: Process): Promise<Handlers> {
    const memory = this.#memory;
    if (!memory) throw new Error(`${this.#parts.name} is not up`);
    const planted = this.#parts.plant.machine?.(memory, memory) ?? memory;
    const machine = aroundMachine(planted, (what, call) => this.#mortal(agent, what, call));
    const said = await endPendingTransaction(machine);
    if (said !== undefined) this.#parts.trace.add(agent.name, said);
    if (!this.isPending) this.requireWhole('the agent starts');
    return { SYNC: createSyncHandler(this.#transactionParts(machine, agent)) };
  }

  #transactionParts(machine: TransactionMachine, agent: Process): TransactionParts {
    const { deviceId, orders } = this.#parts;
    const { transfers } = orders.store;
    const connected = async (signal: AbortSignal): Promise<void> => {
      for (let attempt = 1; ; attempt += 1) {
        await agent.clock.sleep(this.#parts.delayMs(), signal);
        const problem = this.#unreachable();
        if (problem === undefined) return;
        if (attempt === 10) throw new TaskError('rejected_fetch', problem);
        await agent.clock.sleep(2_000, signal);
      }
    };
    return {
      device: { id: deviceId },
      profile: memoryProfile,
      machine,
      keys: memoryKeys,
      ownPaths: ['/etc/muster'],
      transfers: {
        async *download(request, signal) {
          await connected(signal);
          yield* transfers.download(request, signal);
        },
        secrets: (code, signal) => transfers.secrets(code, signal),
      },
      probe: {
        address: { host: 'controller', port: 7443 },
        attempt: (_transaction, timeoutMs, signal) => this.#probe(agent, timeoutMs, signal),
      },
    };
  }

  async #probe(agent: Process, timeoutMs: number, signal: AbortSignal): Promise<ProbeAttempt> {
    const problem = this.#unreachable();
    const duration_ms = problem === undefined ? Math.min(timeoutMs, this.#parts.delayMs()) : timeoutMs;
    await agent.clock.sleep(duration_ms, signal);
    const at = agent.clock.now();
    // The way may have been cut while the question was under way.
    const error = problem ?? this.#unreachable();
    return error === undefined
      ? { at, ok: true, phase: 'done', duration_ms }
      : { at, ok: false, phase: 'tcp', duration_ms, error };
  }

  #unreachable(): string | undefined {
    return this.lockedOut ? 'new connections are blocked' : this.#parts.unreachable();
  }

  /** What an agent does to its machine: takes time, and may be the last it does. */
  async #mortal<Value>(agent: Process, what: string, call: () => Promise<Value>): Promise<Value> {
    this.#dieIfDue('agent', 'before');
    if (!agent.alive) return new Promise(() => {});
    const random = this.#delays;
    const chance = what === 'workspace.confirm' ? slowChance.confirm : slowChance.other;
    const writeMs = random.chance(chance) ? random.integer(1_000, longestWriteMs) : random.integer(0, 20);
    await agent.clock.sleep(writeMs);
    const [end] = await Promise.allSettled([call()]);
    if (agent.alive) this.#dieIfDue('agent', 'after');
    if (!agent.alive) return new Promise(() => {});
    if (end.status === 'fulfilled') return end.value;
    this.#parts.trace.add(agent.name, `${what}: ${String(end.reason)}`);
    throw end.reason;
  }

  /** Between any two writes of the guard. */
  async #write(boot: Process): Promise<void> {
    this.#dieIfDue('power', 'before');
    await boot.clock.sleep(this.#delays.integer(0, 10));
  }

  #dieIfDue(who: 'agent' | 'power', side: 'before' | 'after'): void {
    const planned = this.deaths[who];
    if (planned?.side !== side) return;
    planned.steps -= 1;
    if (planned.steps > 0) return;
    this.deaths[who] = undefined;
    planned.die();
  }

  #noteLockOut(): void {
    const { ledger, deviceId, trace, name } = this.#parts;
    const changed = ledger.noteLockOut(deviceId, this.lockedOut, trace.now);
    if (changed) trace.add(name, this.lockedOut ? 'is locked out' : 'is no longer locked out');
  }
}
