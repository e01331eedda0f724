import type { Clock } from '../../../shared/clock.ts';
import { TaskError } from '../../../shared/errors.ts';
import { isOver, type JournalState } from '../../../shared/transaction.ts';
import type { ConfirmedState, JournalRecord } from '../machine.ts';
import type { MemoryDisk, StoredTransaction } from './memory-disk.ts';
import type { MemoryFile } from './memory-files.ts';

export interface MemoryGuardParts {
  disk: MemoryDisk;
  /** Of the boot: it goes on when the agent dies, and ends with the power. */
  clock: Clock;
  bootId: string;
  uptimeMs: () => number;
  /** Passes between any two things that a power cut could come between. */
  step: () => Promise<void>;
  /** A command of the way back on the host; says whether it succeeded. */
  runCommand: (argv: string[]) => boolean;
  /** Told of every record of a journal. */
  recorded: (transaction: string, record: JournalRecord) => void;
}

type Verdict = 'rolled_back' | 'rollback_failed' | 'confirmed';

const armedStates: readonly JournalState[] = ['ARMED', 'APPLYING', 'APPLIED', 'PROBING'];

/** The guard of one boot, deciding as guard.sh does: every decision under one lock, after reading the journal again. */
export class MemoryGuard {
  readonly #parts: MemoryGuardParts;
  /** Waiting for a deadline, until it is reached or the transaction is over. */
  readonly #watches = new Map<string, AbortController>();
  #lock: Promise<void> = Promise.resolve();

  constructor(parts: MemoryGuardParts) {
    this.#parts = parts;
  }

  /** Appends what is not guarded yet. */
  append(transaction: StoredTransaction, state: JournalState, detail: string): void {
    const { clock, bootId, uptimeMs, recorded } = this.#parts;
    const record = { state, at: clock.now(), bootId, uptimeMs: uptimeMs(), detail: oneLine(detail) };
    transaction.journal.push(record);
    recorded(transaction.id, record);
    if (isOver(state)) this.#watches.get(transaction.id)?.abort();
  }

  arm(transaction: StoredTransaction, detail: string): Promise<void> {
    return this.#locked(async () => {
      if (stateOf(transaction) !== 'SNAPSHOTTED' || this.#leftMs(transaction) <= 0)
        throw tooLate('ARMED', transaction);
      this.append(transaction, 'ARMED', detail);
      this.#watch(transaction);
      await this.#parts.step();
    });
  }

  record(transaction: StoredTransaction, state: JournalState, detail: string): Promise<void> {
    return this.#locked(async () => {
      this.#requireTime(transaction, state);
      this.append(transaction, state, detail);
      await this.#parts.step();
    });
  }

  /** Installs a file, or deletes it. */
  put(transaction: StoredTransaction, path: string, file: MemoryFile | undefined): Promise<void> {
    return this.#locked(async () => {
      this.#requireTime(transaction, path);
      await this.#write(path, file);
    });
  }

  confirm(transaction: StoredTransaction, state: ConfirmedState): Promise<'confirmed' | 'rolled_back'> {
    transaction.toConfirm = state;
    return this.#locked(async () => {
      if (stateOf(transaction) !== 'CONFIRMED') {
        if (!this.#isAllowed(transaction)) {
          await this.#undo(transaction, 'the deadline passed before the confirmation');
          return 'rolled_back';
        }
        this.append(transaction, 'CONFIRMED', `${this.#leftMs(transaction)} ms before the deadline`);
        await this.#parts.step();
      }
      this.finishConfirmation();
      return 'confirmed';
    });
  }

  rollBack(transaction: StoredTransaction, reason: string): Promise<Verdict> {
    return this.#locked(() => this.#undo(transaction, reason));
  }

  /** What follows from a CONFIRMED, if a power cut came right after it. */
  finishConfirmation(): void {
    const { disk } = this.#parts;
    for (const transaction of disk.transactions.values()) {
      if (stateOf(transaction) !== 'CONFIRMED' || !transaction.toConfirm) continue;
      disk.confirmed = transaction.toConfirm;
      delete transaction.toConfirm;
    }
  }

  /** Files of every transaction that a power cut left unconfirmed; before any service reads them, so without commands. */
  async restoreAtBoot(): Promise<void> {
    for (const transaction of this.#parts.disk.transactions.values()) {
      const state = stateOf(transaction);
      if (state !== 'ROLLING_BACK' && !armedStates.includes(state)) continue;
      await this.#locked(() => this.#goBack(transaction, 'not confirmed when the machine went down', []));
    }
  }

  #watch(transaction: StoredTransaction): void {
    const watch = new AbortController();
    this.#watches.set(transaction.id, watch);
    const expire = async (): Promise<void> => {
      await this.#parts.clock.sleep(Math.max(0, this.#leftMs(transaction)), watch.signal);
      await this.#locked(async () => {
        const state = stateOf(transaction);
        if (state === 'ROLLING_BACK' || armedStates.includes(state)) {
          await this.#undo(transaction, 'not confirmed before the deadline');
        }
      });
    };
    void expire()
      .catch((error: unknown) => {
        if (!watch.signal.aborted) throw error;
      })
      .finally(() => this.#watches.delete(transaction.id));
  }

  async #undo(transaction: StoredTransaction, reason: string): Promise<Verdict> {
    const state = stateOf(transaction);
    if (state === 'ROLLED_BACK') return 'rolled_back';
    if (state === 'CONFIRMED') return 'confirmed';
    if (state === 'ROLLBACK_FAILED' || state === 'REJECTED') return 'rollback_failed';
    if (state !== 'ROLLING_BACK' && !armedStates.includes(state)) {
      this.append(transaction, 'ROLLED_BACK', `nothing had been touched: ${reason}`);
      return 'rolled_back';
    }
    return this.#goBack(transaction, reason, transaction.commands);
  }

  async #goBack(
    transaction: StoredTransaction,
    reason: string,
    commands: StoredTransaction['commands'],
  ): Promise<'rolled_back' | 'rollback_failed'> {
    if (stateOf(transaction) !== 'ROLLING_BACK') this.append(transaction, 'ROLLING_BACK', reason);
    await this.#parts.step();
    for (const [path, before] of transaction.snapshot) {
      await this.#write(path, before === 'absent' ? undefined : before);
    }
    const broken = commands.filter(({ argv }) => !this.#parts.runCommand(argv));
    await this.#parts.step();
    if (broken.length > 0) {
      const said = broken.map(({ argv }) => argv.join(' ')).join(', ');
      this.append(transaction, 'ROLLBACK_FAILED', `the files are as before; these commands failed: ${said}`);
      return 'rollback_failed';
    }
    this.append(transaction, 'ROLLED_BACK', reason);
    return 'rolled_back';
  }

  async #write(path: string, file: MemoryFile | undefined): Promise<void> {
    const { disk, step } = this.#parts;
    disk.files.set(path, file);
    await step();
    disk.files.sync(path);
    await step();
  }

  #requireTime(transaction: StoredTransaction, what: string): void {
    if (!this.#isAllowed(transaction)) throw tooLate(what, transaction);
  }

  #isAllowed(transaction: StoredTransaction): boolean {
    return armedStates.includes(stateOf(transaction)) && this.#leftMs(transaction) > 0;
  }

  #leftMs({ deadline }: StoredTransaction): number {
    const { bootId, uptimeMs } = this.#parts;
    return deadline?.bootId === bootId ? deadline.uptimeMs - uptimeMs() : 0;
  }

  async #locked<Value>(work: () => Promise<Value>): Promise<Value> {
    const before = this.#lock;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lock = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }
}

export const stateOf = ({ journal }: StoredTransaction): JournalState => journal.at(-1)?.state ?? 'RECEIVED';

export const tooLate = (what: string, transaction: StoredTransaction): TaskError =>
  new TaskError(
    'rolled_back',
    `${what} comes too late for transaction ${transaction.id}: its journal says ${stateOf(transaction)}, or its deadline has passed`,
  );

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 500);
