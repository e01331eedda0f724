import { dummyContext, type DummyContext } from '../../agent/handlers/dummy-context.ts';
import type { Handler } from '../../agent/handlers/handler.ts';
import { createSyncHandler } from '../../agent/handlers/sync.ts';
import { DummyClock } from '../../agent/system/dummy/clock.ts';
import type { TransactionMachine } from '../../agent/transaction/machine.ts';
import { bootMemoryMachine, type MemoryMachine } from '../../agent/transaction/memory/memory-machine.ts';
import { memoryProfile } from '../../agent/transaction/memory/memory-profile.ts';
import type { TransactionParts } from '../../agent/transaction/transaction-parts.ts';
import type { TaskError } from '../../shared/errors.ts';
import type { ProbeAttempt, SyncParameters, SyncResult } from '../../shared/task-types/sync.ts';
import type { DeviceProfile } from '../../shared/device-profile.ts';
import { memoryKeys, MemoryOrders } from './memory-orders.ts';

export type SyncEnd =
  | { kind: 'completed'; result: SyncResult }
  | { kind: 'rerun' }
  | { kind: 'failed'; code: string; message: string; result: SyncResult | undefined };

/** The handler of SYNC on a machine in memory, with a controller that is scripted. */
export class TransactionUnderTest {
  readonly clock: DummyClock;
  /** What passes between any two things of this boot that a power cut could come between. */
  steps: { pass: () => Promise<void> };
  readonly orders = new MemoryOrders();
  machine: MemoryMachine;
  context: DummyContext;
  profile: DeviceProfile;
  /** The controller is up. */
  reachable = true;
  /** Comes instead of the next answers to probes. */
  answers: Partial<ProbeAttempt>[] = [];
  ownPaths = ['/etc/muster', '/var/lib/muster'];
  #boots = 1;

  private constructor(made: {
    machine: MemoryMachine;
    profile: DeviceProfile;
    clock: DummyClock;
    steps: { pass: () => Promise<void> };
  }) {
    this.clock = made.clock;
    this.machine = made.machine;
    this.profile = made.profile;
    this.steps = made.steps;
    this.context = dummyContext({ clock: made.clock });
  }

  static async start(profile: DeviceProfile = memoryProfile): Promise<TransactionUnderTest> {
    const clock = new DummyClock();
    const steps: { pass: () => Promise<void> } = { pass: async () => {} };
    const step = (): Promise<void> => steps.pass();
    const machine = await bootMemoryMachine({ profile, clock, bootId: 'boot-1', step });
    return new TransactionUnderTest({ machine, profile, clock, steps });
  }

  /** The power fails, and comes back. */
  async powerCut(): Promise<void> {
    this.#boots += 1;
    const { disk } = this.machine;
    // What is under way on the machine gets no further.
    this.steps.pass = () => new Promise(() => {});
    this.steps = { pass: async () => {} };
    const { steps } = this;
    disk.files.powerCut();
    this.machine = await bootMemoryMachine({
      profile: this.profile,
      clock: this.clock,
      bootId: `boot-${this.#boots}`,
      disk,
      step: () => steps.pass(),
    });
  }

  /** A new agent process on the same machine. `sameTask`: with the journal that the task has left. */
  newAgent({ sameTask = true } = {}): void {
    const { journal, code } = this.context;
    this.context = dummyContext({ clock: this.clock, code, ...(sameTask ? { journal } : {}) });
  }

  /** Another task. */
  nextTask(code: string): void {
    this.context = dummyContext({ clock: this.clock, code });
  }

  parts(machine: TransactionMachine = this.machine): TransactionParts {
    return {
      device: { id: 'device-1' },
      profile: this.profile,
      machine,
      transfers: this.orders.transfers,
      keys: memoryKeys,
      ownPaths: this.ownPaths,
      probe: {
        address: { host: 'controller.example', port: 7443 },
        attempt: (_transaction, timeoutMs, signal) => this.#attempt(timeoutMs, signal),
      },
    };
  }

  async run(parameters: SyncParameters, machine?: TransactionMachine): Promise<SyncEnd> {
    const handler = createSyncHandler(this.parts(machine));
    return this.clock.through(endOf(handler.run(parameters, this.context)));
  }

  /** Starts and does not wait. */
  begin(parameters: SyncParameters, machine?: TransactionMachine): Promise<SyncEnd> {
    return endOf(createSyncHandler(this.parts(machine)).run(parameters, this.context));
  }

  async recover(parameters: SyncParameters, machine?: TransactionMachine): Promise<SyncEnd> {
    const handler: Handler = createSyncHandler(this.parts(machine));
    const { currentBootId } = this.machine;
    const interrupted = { bootId: currentBootId, currentBootId, instanceId: 'before', startedAt: 0 };
    const work = handler.recover?.(parameters, interrupted, this.context);
    if (!work) throw new Error('SYNC cannot be recovered');
    return this.clock.through(endOf(work));
  }

  /** Texts by path. */
  get files(): Record<string, string> {
    return Object.fromEntries(this.machine.disk.files.durableTexts());
  }

  /** States in the journal of the newest transaction. */
  get journal(): string[] {
    return [...this.machine.disk.transactions.values()].at(-1)?.journal.map(({ state }) => state) ?? [];
  }

  async #attempt(timeoutMs: number, signal: AbortSignal): Promise<ProbeAttempt> {
    const answer = this.answers.shift();
    const fails = !this.reachable || this.machine.services.lockedOut;
    const duration_ms = fails ? timeoutMs : 20;
    await this.clock.sleep(duration_ms, signal);
    const at = this.clock.now();
    if (answer) return { at, ok: false, phase: 'signature', duration_ms, ...answer };
    return fails
      ? { at, ok: false, phase: 'tcp', duration_ms, error: 'timed out' }
      : { at, ok: true, phase: 'done', duration_ms };
  }
}

async function endOf(work: Promise<unknown>): Promise<SyncEnd> {
  try {
    const result = await work;
    return result === 'rerun' ? { kind: 'rerun' } : { kind: 'completed', result: result as SyncResult };
  } catch (error) {
    const { code, message, result } = error as TaskError;
    if (code === undefined) throw error;
    return { kind: 'failed', code, message, result: result as SyncResult | undefined };
  }
}
