import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all } from './dialect.ts';

export interface NewLogLine {
  taskId: string;
  /** Counts per task, from 1; a gap row stands at the last line it replaces. */
  line: number;
  stream: 'stdout' | 'stderr' | 'agent' | 'gap';
  at: Instant;
  text: string;
}

export interface LogRow extends NewLogLine {
  /** Where to read on: the number of the line. */
  cursor: number;
}

/** Lines kept of one task: more than an agent sends in all attempts that it makes. */
export const maxTaskLines = 100_000;

/** Output of tasks. A line is stored once: (task, line) is unique, and a second one is ignored, as is one of an unknown task. */
export interface LogStore {
  /** What comes for a task that has `maxTaskLines` already is dropped: only a device that ignores its own bounds sends it. */
  append(lines: NewLogLine[]): Promise<void>;
  /** The highest line of each of these tasks that has any. */
  lastLines(taskIds: string[]): Promise<Map<string, number>>;
  /** In order of line, after the cursor. */
  read(taskId: string, after: number, limit: number): Promise<LogRow[]>;
}

export class SqlLogStore implements LogStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async append(sent: NewLogLine[]): Promise<void> {
    const full = await this.#fullTasks(sent);
    const lines = full.size === 0 ? sent : sent.filter(({ taskId }) => !full.has(taskId));
    if (lines.length === 0) return;
    const { dialect } = this.#db;
    const row = { taskId: 'text', line: 'integer', stream: 'text', at: 'integer', text: 'text' } as const;
    await all(
      this.#db,
      sql`
        insert into task_logs (task_seq, line, stream, at, text)
        select tasks.seq, j.line, j.stream, j.at, j.text
        from ${dialect.rows('j', row, lines)} cross join tasks ${dialect.indexed('tasks_id')}
        where tasks.id = j.task_id
        on conflict do nothing`,
    );
  }

  async lastLines(taskIds: string[]): Promise<Map<string, number>> {
    if (taskIds.length === 0) return new Map();
    const { dialect } = this.#db;
    const rows = await all(
      this.#db,
      sql<{ id: string; line: number | null }>`
        select j.id, (select max(line) from task_logs where task_seq = tasks.seq) as line
        from ${dialect.ids('j', taskIds)} cross join tasks ${dialect.indexed('tasks_id')}
        where tasks.id = j.id`,
    );
    return new Map(rows.flatMap(({ id, line }) => (line === null ? [] : [[id, Number(line)]])));
  }

  /** Lines count from 1, each once: only a task with a higher number can have so many. */
  async #fullTasks(lines: NewLogLine[]): Promise<Set<string>> {
    const suspects = new Set(lines.flatMap(({ taskId, line }) => (line > maxTaskLines ? [taskId] : [])));
    if (suspects.size === 0) return suspects;
    const { dialect } = this.#db;
    const rows = await all(
      this.#db,
      sql<{ id: string; count: number }>`
        select j.id, (select count(*) from task_logs where task_seq = tasks.seq) as count
        from ${dialect.ids('j', [...suspects])} cross join tasks ${dialect.indexed('tasks_id')}
        where tasks.id = j.id`,
    );
    return new Set(rows.flatMap(({ id, count }) => (Number(count) >= maxTaskLines ? [id] : [])));
  }

  async read(taskId: string, after: number, limit: number): Promise<LogRow[]> {
    return all(
      this.#db,
      sql<LogRow>`
        select ${taskId} as "taskId", line as cursor, line, stream, at, text
        from task_logs
        where task_seq = (select seq from tasks where id = ${taskId}) and line > ${after}
        order by line
        limit ${limit}`,
    );
  }
}
