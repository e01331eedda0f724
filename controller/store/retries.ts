import { type RawBuilder, sql } from 'kysely';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all, changed } from './dialect.ts';
import { readTasks, taskJoins } from './task-reads.ts';
import type { TaskRow } from './tasks.ts';

/** Never tried again by themselves: they take a device away from whoever works on it, or hang on a person. */
export const neverRetried: readonly TaskType[] = [
  'REBOOT',
  'SHUTDOWN',
  'RESTART',
  'PLUGIN_INSTALL',
  'CONNECT',
];

/** Failures that another try would only repeat, or that need a person to look first. */
const lastingFailures = ['device_removed', 'rolled_back', 'rollback_failed'];

export interface RetryableTask {
  task: TaskRow;
  /** How long to wait from its end. */
  delayMs: number;
}

/**
 * Runs whose failed tasks are tried again. Such a run is open from its creation until no task of it is live or may be tried again.
 * Who is tried again is told by the store alone, so that no end of a task has to remember it.
 */
export interface RetryStore {
  /** Ids of open runs; the store is asked for nothing else while there are none. */
  openRuns(): Promise<string[]>;
  /** FAILED tasks of open runs that may be tried again, oldest first. */
  due(limit: number): Promise<RetryableTask[]>;
  /** From now on the retry of each stands for it; in the transaction that inserts the retries. */
  supersede(taskIds: string[], now: Instant): Promise<void>;
  /** Closes runs that are over; returns how many. */
  closeEnded(): Promise<number>;
  /** Nothing of the run is tried again any more. */
  close(runId: string): Promise<void>;
}

export class SqlRetryStore implements RetryStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async openRuns(): Promise<string[]> {
    const rows = await all(
      this.#db,
      sql<{ id: string }>`
        select id from runs ${this.#db.dialect.indexed('runs_retry_open')} where retry_open = 1 order by seq`,
    );
    return rows.map(({ id }) => id);
  }

  async due(limit: number): Promise<RetryableTask[]> {
    const { dialect } = this.#db;
    const rows = await all(
      this.#db,
      sql<{ seq: number; delayMs: number }>`
        select t.seq, r.retry_delay_ms as "delayMs"
        from runs as r ${dialect.indexed('runs_retry_open')}
        cross join tasks as t ${dialect.indexed('tasks_run')} on t.run_id = r.id
        where r.retry_open = 1 and ${retryable}
        order by t.seq
        limit ${limit}`,
    );
    if (rows.length === 0) return [];
    const delays = new Map(rows.map(({ seq, delayMs }) => [seq, delayMs]));
    const seqs = rows.map(({ seq }) => ({ seq }));
    const tasks = await readTasks(
      this.#db,
      sql`${dialect.rows('j', { seq: 'integer' }, seqs)} cross join tasks as t on t.seq = j.seq
        ${taskJoins(this.#db)} order by t.seq`,
    );
    return tasks.map((task) => ({ task, delayMs: delays.get(task.seq) ?? 0 }));
  }

  async supersede(taskIds: string[], now: Instant): Promise<void> {
    if (taskIds.length === 0) return;
    const { dialect } = this.#db;
    await all(
      this.#db,
      sql`
        update tasks ${dialect.indexed('tasks_id')} set superseded = 1, updated_at = ${now}
        where id in ${dialect.list(taskIds)}`,
    );
  }

  closeEnded(): Promise<number> {
    const { dialect } = this.#db;
    return changed(
      this.#db,
      sql`
        update runs set retry_open = 0
        where seq in (
          select r.seq from runs as r ${dialect.indexed('runs_retry_open')}
          where r.retry_open = 1
            and not exists (
              select 1 from tasks as t ${dialect.indexed('tasks_run')}
              where t.run_id = r.id and t.superseded = 0 and t.status in ('SCHEDULED', 'PENDING', 'IN_PROGRESS')
            )
            and not exists (
              select 1 from tasks as t ${dialect.indexed('tasks_run')} where t.run_id = r.id and ${retryable}
            )
        )`,
    );
  }

  async close(runId: string): Promise<void> {
    await all(this.#db, sql`update runs set retry_open = 0 where id = ${runId} and retry_open = 1`);
  }
}

const literals = (texts: readonly string[]): RawBuilder<unknown> =>
  sql.raw(texts.map((text) => `'${text}'`).join(', '));

/** Of task `t` in run `r`. */
const retryable = sql`
  t.superseded = 0 and t.status = 'FAILED' and t.retry_number < r.max_retries and r.stopped_at is null
  and t.type not in (${literals(neverRetried)})
  and coalesce(t.error_code, '') not in (${literals(lastingFailures)})
  and exists (
    select 1 from devices as d where d.id = t.device_id and d.removed_at is null and d.status = 'ENABLED'
  )`;
