import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { TaskState } from '../../shared/task-state.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import type { Ledger } from './ledger.ts';
import { tagOf } from './requests.ts';
import type { Scheduler } from './scheduler.ts';
import type { Trace } from './trace.ts';

interface SeenRow {
  id: string;
  was: TaskState | null;
  becomes: TaskState | null;
}

/**
 * Watches the controller's database from outside: a temporary trigger notes every change of a task's state, also several in one
 * transaction; `committed` puts them into the ledger, because from then on they are shown.
 */
export class Observer {
  readonly #ledger: Ledger;
  readonly #scheduler: Scheduler;
  readonly #trace: Trace;
  readonly #take;
  readonly #clear;
  readonly #task;

  constructor(parts: { raw: Sqlite; ledger: Ledger; scheduler: Scheduler; trace: Trace }) {
    const { raw } = parts;
    this.#ledger = parts.ledger;
    this.#scheduler = parts.scheduler;
    this.#trace = parts.trace;
    raw.exec(triggers);
    this.#take = raw.prepare<[], SeenRow>('SELECT id, was, becomes FROM seen ORDER BY rowid');
    this.#clear = raw.prepare('DELETE FROM seen');
    this.#task = raw.prepare<
      [string],
      {
        code: string;
        deviceId: string;
        runId: string | null;
        type: TaskType;
        parameters: string;
        errorCode: string | null;
      }
    >(
      `SELECT code, device_id AS deviceId, run_id AS runId, type, parameters, error_code AS errorCode FROM main.tasks WHERE id = ?`,
    );
  }

  committed(): void {
    const rows = this.#take.all();
    if (rows.length === 0) return;
    this.#clear.run();
    for (const row of rows) this.#note(row);
  }

  #note({ id, was, becomes }: SeenRow): void {
    const known = this.#ledger.tasks.get(id);
    if (becomes === null) {
      if (known) known.deleted = true;
      return;
    }
    const task = known ?? this.#meet(id, becomes);
    const order = this.#ledger.next();
    task.moves.push({ from: was, to: becomes, at: this.#scheduler.now, order });
    task.state = becomes;
    const why = this.#task.get(id)?.errorCode ?? '';
    this.#trace.add('shown', `${task.code} ${task.type} ${was ?? '–'} → ${becomes} ${why}`);
  }

  #meet(id: string, state: TaskState) {
    const row = this.#task.get(id);
    if (!row) throw new Error(`task ${id} vanished in the transaction that made it`);
    const parameters = JSON.parse(row.parameters) as { idempotent?: boolean; script?: string };
    const task = {
      id,
      code: row.code,
      deviceId: row.deviceId,
      runId: row.runId,
      type: row.type,
      tag: tagOf(row.type, parameters),
      idempotent: parameters.idempotent ?? false,
      lines: parameters.script?.match(/^echo /gm)?.length ?? 0,
      state,
      moves: [],
      deleted: false,
    };
    this.#ledger.tasks.set(id, task);
    return task;
  }
}

const triggers = `
  CREATE TEMP TABLE seen (id TEXT NOT NULL, was TEXT, becomes TEXT);
  CREATE TEMP TRIGGER seen_insert AFTER INSERT ON main.tasks BEGIN
    INSERT INTO seen VALUES (new.id, NULL, new.status);
  END;
  CREATE TEMP TRIGGER seen_update AFTER UPDATE OF status ON main.tasks WHEN old.status <> new.status BEGIN
    INSERT INTO seen VALUES (new.id, old.status, new.status);
  END;
  CREATE TEMP TRIGGER seen_delete AFTER DELETE ON main.tasks BEGIN
    INSERT INTO seen VALUES (old.id, old.status, NULL);
  END;
`;
