import { type RawBuilder, sql } from 'kysely';
import type { RunStatus } from '../../shared/api/runs.ts';
import type { Rollout } from '../../shared/api/tasks.ts';
import type { Instant } from '../../shared/clock.ts';
import type { AgentTaskStatus } from '../../shared/api/assistant.ts';
import type { RunType } from '../../shared/run-type.ts';
import { type TaskState, isFinal, taskStateNames } from '../../shared/task-state.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, changed } from './dialect.ts';
import { runConditions } from './run-list.ts';

export type RunTrigger = 'manual' | 'at' | 'schedule' | 'retry' | 'api';

export interface NewRun {
  id: string;
  organizationId: string;
  type: RunType;
  trigger: RunTrigger;
  /** JSON text. */
  parameters: string;
  rollout: Rollout | null;
  total: number;
  /** Devices that were selected but got no task, and why. */
  skipped: { deviceName: string; reason: string }[];
  createdBy: string;
  createdAt: Instant;
  scheduledAt: Instant | null;
  /** What it was made for. The name outlives the schedule. */
  schedule?: RunSchedule | null;
  /** The run whose devices it tries once more. */
  retryOf?: string | null;
  /** How often a failed task is tried again by itself, and how long after its end. */
  retries?: { max: number; delayMs: number } | null;
}

export interface RunSchedule {
  id: string;
  name: string;
  /** Code of the scheduled task. */
  task: string;
}

export interface RunRow extends NewRun {
  schedule: RunSchedule | null;
  retryOf: string | null;
  retries: { max: number; delayMs: number } | null;
  /** A task of it may still be tried again. */
  retryOpen: boolean;
  organizationName: string;
  stoppedAt: Instant | null;
  stoppedReason: string | null;
  counts: Record<TaskState, number>;
  /** Of an agent task, which has no tasks of its own: how it is. */
  agentStatus: AgentTaskStatus | null;
  /** When its last task ended; null while one is open. Of a run without tasks, when it was created. */
  completedAt: Instant | null;
}

export interface RunFilter {
  organizationId: string;
  type?: RunType;
  status?: RunStatus;
  trigger?: RunTrigger;
  /** By name. */
  schedule?: string;
  createdAfter?: Instant;
  createdBefore?: Instant;
}

/** A run that goes by rollout limits and is not over. */
export interface OpenRollout {
  id: string;
  rollout: Rollout;
  total: number;
  counts: Record<TaskState, number>;
}

/** Runs group tasks; their status is derived from the counts. */
export interface RunStore {
  insert(run: NewRun): Promise<void>;
  get(organizationId: string | undefined, id: string): Promise<RunRow | undefined>;
  /** Those that there are, in no order. */
  getMany(organizationId: string, ids: string[]): Promise<RunRow[]>;
  /** Newest first. `createdAfter` is inclusive, `createdBefore` exclusive. */
  list(filter: string | RunFilter, paging: Paging): Promise<PageOf<RunRow>>;
  /** Ids of the run's tasks in these states. */
  taskIds(runId: string, states: TaskState[]): Promise<string[]>;
  /** Names and reasons of the run's tasks that never ran: CANCELLED with a reason, EXPIRED. */
  notRun(runId: string, limit: number): Promise<{ deviceName: string; reason: string }[]>;
  openRollouts(): Promise<OpenRollout[]>;
  /** No more tasks of it are handed out; false when it was stopped or closed already. */
  stop(id: string, reason: string, now: Instant): Promise<boolean>;
  /** Marks rollouts whose tasks have all ended, so that they are not looked at again. */
  closeRollouts(ids: string[]): Promise<void>;
  /** Deletes runs that have no task left and were created before; returns how many. */
  prune(before: Instant): Promise<number>;
}

export class SqlRunStore implements RunStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(run: NewRun): Promise<void> {
    await this.#db.kysely
      .insertInto('runs')
      .values({
        id: run.id,
        organization_id: run.organizationId,
        type: run.type,
        trigger: run.trigger,
        parameters: run.parameters,
        rollout: run.rollout && JSON.stringify(run.rollout),
        rollout_open: run.rollout ? 1 : 0,
        total: run.total,
        skipped: JSON.stringify(run.skipped),
        created_by: run.createdBy,
        created_at: run.createdAt,
        scheduled_at: run.scheduledAt,
        schedule_id: run.schedule?.id ?? null,
        schedule: run.schedule?.name ?? null,
        scheduled_task: run.schedule?.task ?? null,
        retry_of: run.retryOf ?? null,
        max_retries: run.retries?.max ?? 0,
        retry_delay_ms: run.retries?.delayMs ?? 0,
        retry_open: (run.retries?.max ?? 0) > 0 ? 1 : 0,
      })
      .execute();
  }

  async get(organizationId: string | undefined, id: string): Promise<RunRow | undefined> {
    const mine = organizationId === undefined ? sql`` : sql`and r.organization_id = ${organizationId}`;
    const [row] = await this.#read('runs_id', sql`r.id = ${id} ${mine}`);
    return row;
  }

  async getMany(organizationId: string, ids: string[]): Promise<RunRow[]> {
    if (ids.length === 0) return [];
    const mine = sql`r.organization_id = ${organizationId}`;
    return this.#read('runs_id', sql`r.id in ${this.#db.dialect.list(ids)} and ${mine}`);
  }

  async list(filter: string | RunFilter, paging: Paging): Promise<PageOf<RunRow>> {
    const wanted = typeof filter === 'string' ? { organizationId: filter } : filter;
    const { index, where } = runConditions(this.#db, wanted);
    const [count] = await all(
      this.#db,
      sql<{ total: number }>`
        select count(*) as total from runs as r ${this.#db.dialect.indexed(index)} where ${where}`,
    );
    const items = await this.#read(
      index,
      sql`
      ${where}
      order by r.created_at desc, r.seq desc
      limit ${paging.perPage} offset ${(paging.page - 1) * paging.perPage}`,
    );
    return { items, total: count?.total ?? 0 };
  }

  async taskIds(runId: string, states: TaskState[]): Promise<string[]> {
    const rows = await all(
      this.#db,
      sql<{ id: string }>`
        select id from tasks ${this.#db.dialect.indexed('tasks_run')}
        where run_id = ${runId} and superseded = 0 and status in ${this.#db.dialect.list(states)}
        order by seq`,
    );
    return rows.map(({ id }) => id);
  }

  async notRun(runId: string, limit: number): Promise<{ deviceName: string; reason: string }[]> {
    return all(
      this.#db,
      sql<{ deviceName: string; reason: string }>`
        select devices.name as "deviceName",
          case
            when tasks.status = 'CANCELLED' then coalesce(tasks.error_message, tasks.error_code)
            when tasks.message is null then 'expired'
            else 'expired: ' || tasks.message
          end as reason
        from tasks ${this.#db.dialect.indexed('tasks_run')}
        cross join devices ${this.#db.dialect.indexed('devices_id')} on devices.id = tasks.device_id
        where tasks.run_id = ${runId} and tasks.superseded = 0
          and (tasks.status = 'EXPIRED' or (tasks.status = 'CANCELLED' and tasks.error_code is not null))
        order by tasks.seq
        limit ${limit}`,
    );
  }

  async openRollouts(): Promise<OpenRollout[]> {
    const rows = await all(
      this.#db,
      sql<{ id: string; rollout: string; total: number }>`
        select id, rollout, total from runs ${this.#db.dialect.indexed('runs_rollout_open')}
        where rollout_open = 1
        order by seq`,
    );
    const progress = await this.#progress(rows.map(({ id }) => id));
    return rows.map((row) => ({
      ...row,
      rollout: JSON.parse(row.rollout),
      counts: progress.get(row.id)?.counts ?? noCounts(),
    }));
  }

  async stop(id: string, reason: string, now: Instant): Promise<boolean> {
    const { numUpdatedRows } = await this.#db.kysely
      .updateTable('runs')
      .set({ stopped_at: now, stopped_reason: reason, rollout_open: 0 })
      .where('id', '=', id)
      .where('stopped_at', 'is', null)
      .where((is) => is.or([is('rollout', 'is', null), is('rollout_open', '=', 1)]))
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  async closeRollouts(ids: string[]): Promise<void> {
    if (ids.length === 0) return;
    await all(
      this.#db,
      sql`update runs set rollout_open = 0 where rollout_open = 1 and retry_open = 0 and id in ${this.#db.dialect.list(ids)}`,
    );
  }

  async prune(before: Instant): Promise<number> {
    return changed(
      this.#db,
      sql`
        delete from runs
        where created_at < ${before} and not exists (select 1 from tasks where tasks.run_id = runs.id)
          and not exists (
            select 1 from assistant_runs where run_id = runs.id and status in ('running', 'waiting')
          )`,
    );
  }

  async #read(index: string, which: RawBuilder<unknown>): Promise<RunRow[]> {
    const rows = await all(
      this.#db,
      sql<StoredRun>`
        select r.id, r.organization_id as "organizationId", r.type, r.trigger, r.parameters, r.rollout, r.total,
          r.skipped, r.created_by as "createdBy", r.created_at as "createdAt", r.scheduled_at as "scheduledAt",
          r.stopped_at as "stoppedAt", r.stopped_reason as "stoppedReason", r.schedule_id as "scheduleId",
          r.schedule as "scheduleName", r.scheduled_task as "scheduledTask", r.retry_of as "retryOf",
          r.max_retries as "maxRetries", r.retry_delay_ms as "retryDelayMs", r.retry_open as "retryOpen",
          organizations.name as "organizationName", a.status as "agentStatus", a.completed_at as "agentCompletedAt"
        from runs as r ${this.#db.dialect.indexed(index)}
        cross join organizations on organizations.id = r.organization_id
        left join assistant_runs as a on r.type = 'AGENT_TASK' and a.run_id = r.id
        where ${which}`,
    );
    const progress = await this.#progress(rows.map(({ id }) => id));
    return rows.map(
      ({ scheduleId, scheduleName, scheduledTask, maxRetries, retryDelayMs, agentCompletedAt, ...row }) => {
        const { counts, lastEnd } = progress.get(row.id) ?? { counts: noCounts(), lastEnd: null };
        const retryOpen = row.retryOpen === 1;
        const isLive = taskStateNames.some((state) => !isFinal(state) && counts[state] > 0);
        const isOpen = isLive || (retryOpen && counts.FAILED > 0);
        const schedule = { id: scheduleId ?? '', name: scheduleName ?? '', task: scheduledTask ?? '' };
        return {
          ...row,
          schedule: scheduleId === null ? null : schedule,
          retries: maxRetries === 0 ? null : { max: maxRetries, delayMs: retryDelayMs },
          retryOpen,
          rollout: row.rollout === null ? null : JSON.parse(row.rollout),
          skipped: JSON.parse(row.skipped),
          counts,
          completedAt:
            row.agentStatus !== null ? agentCompletedAt : isOpen ? null : (lastEnd ?? row.createdAt),
        };
      },
    );
  }

  async #progress(runIds: string[]): Promise<Map<string, Progress>> {
    const progress = new Map<string, Progress>();
    if (runIds.length === 0) return progress;
    const { dialect } = this.#db;
    const states = runIds.flatMap((runId) => taskStateNames.map((status) => ({ runId, status })));
    const its = sql`tasks ${dialect.indexed('tasks_run')} where run_id = j.run_id and superseded = 0 and status = j.status`;
    const rows = await all(
      this.#db,
      sql<{ runId: string; status: TaskState; count: number; lastEnd: number | null }>`
        select j.run_id as "runId", j.status, (select count(*) from ${its}) as count,
          (select max(completed_at) from ${its}) as "lastEnd"
        from ${dialect.rows('j', { runId: 'text', status: 'text' }, states)}`,
    );
    for (const { runId, status, count, lastEnd } of rows) {
      const run = progress.get(runId) ?? { counts: noCounts(), lastEnd: null };
      run.counts[status] = count;
      if (lastEnd !== null) run.lastEnd = Math.max(run.lastEnd ?? lastEnd, lastEnd);
      progress.set(runId, run);
    }
    return progress;
  }
}

type StoredRun = Omit<
  RunRow,
  'rollout' | 'skipped' | 'counts' | 'completedAt' | 'schedule' | 'retries' | 'retryOpen'
> & {
  scheduleId: string | null;
  scheduleName: string | null;
  scheduledTask: string | null;
  maxRetries: number;
  retryDelayMs: number;
  retryOpen: number;
  agentCompletedAt: Instant | null;
  rollout: string | null;
  skipped: string;
};

interface Progress {
  counts: Record<TaskState, number>;
  lastEnd: Instant | null;
}

const noCounts = (): Record<TaskState, number> => ({
  SCHEDULED: 0,
  PENDING: 0,
  IN_PROGRESS: 0,
  COMPLETED: 0,
  FAILED: 0,
  CANCELLED: 0,
  EXPIRED: 0,
});
