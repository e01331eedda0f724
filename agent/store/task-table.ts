import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { HeldState } from '../../shared/protocol/hello.ts';
import type { z } from 'zod';
import type { Gate } from './gate.ts';

/** Tombstones kept: a second offer of one of these tasks is answered with its end. */
const maxTombstones = 1_000;

/** How a task ended, as its outbox row tells it. */
export type EndKind = 'result' | 'cancelled';

export interface StoredTask {
  code: string;
  state: z.output<typeof HeldState>;
  type: string;
  /** JSON text. */
  parameters: string;
  /** JSON text of a `SignedOrder`; null once the task is finished. */
  signed: string | null;
  timeoutMs: number;
  force: boolean;
  attempt: number;
  resumes: number;
  lines: number;
  acceptedAt: number;
  acceptedSeq: number;
  startedAt: number | null;
  bootId: string | null;
  instanceId: string | null;
  /** JSON text, of the handler. */
  note: string | null;
  endKind: EndKind | null;
  endBody: string | null;
  endSeq: number | null;
}

export type NewTask = Pick<
  StoredTask,
  'code' | 'type' | 'parameters' | 'signed' | 'timeoutMs' | 'force' | 'attempt' | 'acceptedAt' | 'acceptedSeq'
>;

type Row = Omit<StoredTask, 'force'> & { force: number };

const columns = `code, state, type, parameters, signed, timeout_ms AS timeoutMs, force, attempt, resumes, lines,
  accepted_at AS acceptedAt, accepted_seq AS acceptedSeq, started_at AS startedAt, boot_id AS bootId,
  instance_id AS instanceId, note, end_kind AS endKind, end_body AS endBody, end_seq AS endSeq`;

const toTask = (row: Row): StoredTask => ({ ...row, force: row.force === 1 });

/**
 * The tasks this device holds. accepted → running → finished; every move is one conditional statement and says whether it was made,
 * so that a task starts once whatever arrives twice. Callers bundle the moves with their outbox rows in one transaction.
 */
export class TaskTable {
  readonly #gate: Gate;
  readonly #statements;

  constructor(db: Sqlite, gate: Gate) {
    this.#gate = gate;
    this.#statements = prepare(db);
  }

  get(code: string): StoredTask | undefined {
    this.#gate.pass();
    const row = this.#statements.get.get(code);
    return row && toTask(row);
  }

  /** Accepted and running tasks, oldest first. */
  unfinished(): StoredTask[] {
    this.#gate.pass();
    return this.#statements.unfinished.all().map(toTask);
  }

  /** Everything that is not finished and delivered, oldest first: what `hello` lists. */
  held(): Pick<StoredTask, 'code' | 'attempt' | 'state' | 'type'>[] {
    this.#gate.pass();
    return this.#statements.held.all();
  }

  insert(task: NewTask): void {
    this.#gate.pass();
    this.#statements.insert.run({ ...task, force: task.force ? 1 : 0 });
  }

  /** accepted → running. */
  start(code: string, by: { at: number; bootId: string; instanceId: string }): boolean {
    this.#gate.pass();
    return this.#statements.start.run({ code, ...by }).changes === 1;
  }

  /** Counts that a process found the task running from before. */
  countResume(code: string, by: -1 | 1): void {
    this.#gate.pass();
    this.#statements.countResume.run({ code, by });
  }

  /** Begins another attempt of a running task. */
  startAgain(code: string, by: { at: number; bootId: string; instanceId: string }): void {
    this.#gate.pass();
    this.#statements.startAgain.run({ code, ...by });
  }

  saveNote(code: string, note: string): void {
    this.#gate.pass();
    this.#statements.saveNote.run({ code, note });
  }

  saveLines(code: string, lines: number): void {
    this.#gate.pass();
    this.#statements.saveLines.run({ code, lines });
  }

  /** accepted or running → finished. A tombstone keeps nothing of what the task was given; the oldest are forgotten. */
  finish(code: string, end: { kind: EndKind; body: string; seq: number }): boolean {
    this.#gate.pass();
    const moved = this.#statements.finish.run({ code, ...end }).changes === 1;
    if (moved) this.#statements.prune.run(maxTombstones);
    return moved;
  }

  /** The acceptance of a task is told again, by a new row. */
  tellAcceptedAgain(code: string, seq: number): void {
    this.#gate.pass();
    this.#statements.tellAcceptedAgain.run({ code, seq });
  }

  /** The end of a finished task is told again, by a new row. */
  tellEndAgain(code: string, seq: number): void {
    this.#gate.pass();
    this.#statements.tellEndAgain.run({ code, seq });
  }

  /** Only a task that did not start can be forgotten. */
  forget(code: string): boolean {
    this.#gate.pass();
    return this.#statements.forget.run(code).changes === 1;
  }

  /** Every seq was raised by `by`. */
  shiftSeqs(by: number): void {
    this.#gate.pass();
    this.#statements.shiftSeqs.run({ by });
  }
}

function prepare(db: Sqlite) {
  const undelivered = 'EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = tasks.end_seq)';
  return {
    get: db.prepare<[string], Row>(`SELECT ${columns} FROM tasks WHERE code = ?`),
    unfinished: db.prepare<[], Row>(
      `SELECT ${columns} FROM tasks WHERE state <> 'finished' ORDER BY accepted_seq`,
    ),
    held: db.prepare<[], Pick<StoredTask, 'code' | 'attempt' | 'state' | 'type'>>(
      `SELECT code, attempt, state, type FROM tasks
       WHERE state <> 'finished' OR (state = 'finished' AND ${undelivered}) ORDER BY accepted_seq`,
    ),
    insert: db.prepare(
      `INSERT INTO tasks (code, state, type, parameters, signed, timeout_ms, force, attempt, accepted_at, accepted_seq)
       VALUES (@code, 'accepted', @type, @parameters, @signed, @timeoutMs, @force, @attempt, @acceptedAt, @acceptedSeq)`,
    ),
    start: db.prepare(
      `UPDATE tasks SET state = 'running', started_at = @at, boot_id = @bootId, instance_id = @instanceId
       WHERE code = @code AND state = 'accepted'`,
    ),
    countResume: db.prepare(
      `UPDATE tasks SET resumes = resumes + @by WHERE code = @code AND state = 'running'`,
    ),
    startAgain: db.prepare(
      `UPDATE tasks SET attempt = attempt + 1, started_at = @at, boot_id = @bootId, instance_id = @instanceId
       WHERE code = @code AND state = 'running'`,
    ),
    saveNote: db.prepare(`UPDATE tasks SET note = @note WHERE code = @code AND state = 'running'`),
    saveLines: db.prepare('UPDATE tasks SET lines = @lines WHERE code = @code'),
    finish: db.prepare(
      `UPDATE tasks SET state = 'finished', end_kind = @kind, end_body = @body, end_seq = @seq,
         note = NULL, parameters = '{}', signed = NULL
       WHERE code = @code AND state <> 'finished'`,
    ),
    prune: db.prepare<[number]>(
      `DELETE FROM tasks WHERE state = 'finished' AND NOT ${undelivered} AND end_seq <=
         (SELECT end_seq FROM tasks WHERE state = 'finished' ORDER BY end_seq DESC LIMIT 1 OFFSET ?)`,
    ),
    tellAcceptedAgain: db.prepare('UPDATE tasks SET accepted_seq = @seq WHERE code = @code'),
    tellEndAgain: db.prepare('UPDATE tasks SET end_seq = @seq WHERE code = @code'),
    forget: db.prepare<[string]>(`DELETE FROM tasks WHERE code = ? AND state = 'accepted'`),
    shiftSeqs: db.prepare('UPDATE tasks SET accepted_seq = accepted_seq + @by, end_seq = end_seq + @by'),
  };
}
