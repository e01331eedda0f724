import type { Random } from '../../shared/clock.ts';
import type { Sqlite } from '../../shared/node/sqlite.ts';
import { Gate } from './gate.ts';
import { KeyValues } from './key-values.ts';
import type { OutboxBounds } from './log-bounds.ts';
import { Outbox } from './outbox.ts';
import { QuestionTable } from './question-table.ts';
import { migrate } from './schema.ts';
import { TaskTable } from './task-table.ts';

/** The agent's database as its parts see it. */
export class AgentStore {
  readonly tasks: TaskTable;
  readonly outbox: Outbox;
  readonly questions: QuestionTable;
  readonly kv: KeyValues;
  /** New when the database is new. */
  readonly storeId: string;
  /** +1 with every start of the agent. */
  readonly epoch: number;
  readonly #db: Sqlite;
  readonly #gate: Gate;

  /** Brings the schema up to date and begins a new epoch, durably. */
  constructor(db: Sqlite, random: Random, bounds: OutboxBounds) {
    this.#db = db;
    this.#gate = new Gate();
    migrate(db);
    this.kv = new KeyValues(db, this.#gate);
    this.tasks = new TaskTable(db, this.#gate);
    this.outbox = new Outbox(db, this.#gate, bounds);
    this.questions = new QuestionTable(db, this.#gate);
    [this.storeId, this.epoch] = this.write(() => this.#beginEpoch(random));
  }

  /** One transaction: either all of `change` is on disk when it returns, or nothing. */
  write<T>(change: () => T): T {
    this.#gate.pass();
    try {
      return this.#db.transaction(change)();
    } catch (error) {
      if (!this.#gate.closed) this.#recount();
      throw error;
    }
  }

  /** From now on nothing is read or written: the agent was aborted. */
  close(): void {
    this.#gate.close();
  }

  get closed(): boolean {
    return this.#gate.closed;
  }

  #beginEpoch(random: Random): [string, number] {
    const storeId = this.kv.get('storeId') ?? random.uuid();
    const epoch = (this.kv.get('epoch') ?? 0) + 1;
    this.kv.set('storeId', storeId);
    this.kv.set('epoch', epoch);
    return [storeId, epoch];
  }

  #recount(): void {
    try {
      this.outbox.recount();
    } catch {
      // The failure of the transaction itself says more.
    }
  }
}
