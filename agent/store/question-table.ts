import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { TakenReason } from '../../shared/question.ts';
import type { Gate } from './gate.ts';

export interface StoredQuestion {
  id: string;
  code: string;
  options: string[];
  safe: string | null;
  /** By this device's clock. */
  expiresAt: number;
  /** Null while it is open. */
  reason: TakenReason | null;
  /** Null while it is open, and when there is nothing to go on with. */
  answer: string | null;
}

export type NewQuestion = Pick<StoredQuestion, 'id' | 'code' | 'options' | 'safe' | 'expiresAt'> & {
  /** What is asked, in one word: a task that runs again asks the same question under the same key. */
  key: string;
};

type Row = Omit<StoredQuestion, 'options'> & { options: string };

const columns = 'id, code, options, safe, expires_at AS expiresAt, reason, answer';

const toQuestion = (row: Row): StoredQuestion => ({ ...row, options: JSON.parse(row.options) as string[] });

/**
 * What the tasks of this device asked. A question is closed once: by a person's answer, by its deadline, or by who asked it. Callers
 * bundle each change with its outbox row in one transaction.
 */
export class QuestionTable {
  readonly #gate: Gate;
  readonly #statements;

  constructor(db: Sqlite, gate: Gate) {
    this.#gate = gate;
    this.#statements = prepare(db);
  }

  get(id: string): StoredQuestion | undefined {
    this.#gate.pass();
    const row = this.#statements.get.get(id);
    return row && toQuestion(row);
  }

  /** The same question of the task, asked before and not withdrawn. */
  find(code: string, key: string): StoredQuestion | undefined {
    this.#gate.pass();
    const row = this.#statements.find.get(code, key);
    return row && toQuestion(row);
  }

  /** How many the task has asked. */
  count(code: string): number {
    this.#gate.pass();
    return this.#statements.count.get(code)?.asked ?? 0;
  }

  insert({ options, ...question }: NewQuestion): void {
    this.#gate.pass();
    this.#statements.insert.run({ ...question, options: JSON.stringify(options) });
  }

  /** open → closed. */
  close(id: string, taken: { reason: TakenReason; answer: string | null }): boolean {
    this.#gate.pass();
    return this.#statements.close.run({ id, ...taken }).changes === 1;
  }

  /** The task has ended. */
  forget(code: string): void {
    this.#gate.pass();
    this.#statements.forget.run(code);
  }
}

function prepare(db: Sqlite) {
  return {
    get: db.prepare<[string], Row>(`SELECT ${columns} FROM questions WHERE id = ?`),
    find: db.prepare<[string, string], Row>(
      `SELECT ${columns} FROM questions WHERE code = ? AND key = ? AND reason IS NOT 'withdrawn'`,
    ),
    count: db.prepare<[string], { asked: number }>('SELECT count(*) AS asked FROM questions WHERE code = ?'),
    insert: db.prepare(
      `INSERT INTO questions (id, code, key, options, safe, expires_at)
       VALUES (@id, @code, @key, @options, @safe, @expiresAt)`,
    ),
    close: db.prepare(
      'UPDATE questions SET reason = @reason, answer = @answer WHERE id = @id AND reason IS NULL',
    ),
    forget: db.prepare<[string]>('DELETE FROM questions WHERE code = ?'),
  };
}
