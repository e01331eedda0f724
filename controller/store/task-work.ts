import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { TaskState } from '../../shared/task-state.ts';
import type { Lane, TaskType } from '../../shared/task-types/task-type.ts';
import { type Db, all } from './dialect.ts';
import type { OfferableTask } from './tasks.ts';

/** The oldest PENDING, unexpired tasks per (device, lane), at most `count` each, without those of `heldRuns`. Ordered by seq. */
export async function heads(
  db: Db,
  wants: { deviceId: string; lane: Lane; count: number }[],
  now: Instant,
  heldRuns: string[],
): Promise<OfferableTask[]> {
  const byCount = Map.groupBy(wants, ({ count }) => count);
  byCount.delete(0);
  if (byCount.size === 0) return [];

  const { dialect } = db;
  const notHeld =
    heldRuns.length === 0 ? sql`` : sql`and (x.run_id is null or x.run_id not in ${dialect.list(heldRuns)})`;
  // `limit` cannot name a column: wants of one count share a part of the statement.
  const parts = [...byCount].map(
    ([count, alike]) => sql`
      select t.id, t.code, t.seq, t.device_id as "deviceId", t.run_id as "runId", t.type, t.lane, t.parameters,
        t.timeout_ms as "timeoutMs", t.force, t.expires_at as "expiresAt"
      from ${dialect.rows('w', { deviceId: 'text', lane: 'text' }, alike)}
      cross join tasks as t on t.seq in (
        select x.seq from tasks as x ${dialect.indexed('tasks_pending')}
        where x.status = 'PENDING' and x.device_id = w.device_id and x.lane = w.lane
          and x.expires_at > ${now} ${notHeld}
        order by x.seq
        limit ${count}
      )`,
  );
  const rows = await all(db, sql<StoredHead>`${sql.join(parts, sql` union all `)} order by 3`);
  return rows.map((row) => ({ ...row, force: row.force === 1 }));
}

type StoredHead = Omit<OfferableTask, 'force'> & { force: number };

/** Devices that have PENDING tasks, among `deviceIds` when given. */
export async function devicesWithPending(db: Db, deviceIds?: string[]): Promise<string[]> {
  const { dialect } = db;
  const statement =
    deviceIds === undefined
      ? sql<{ id: string }>`
          select distinct device_id as id from tasks ${dialect.indexed('tasks_pending')}
          where status = 'PENDING'`
      : sql<{ id: string }>`
          select distinct j.id from ${dialect.ids('j', deviceIds)}
          where exists (
            select 1 from tasks ${dialect.indexed('tasks_pending')}
            where status = 'PENDING' and device_id = j.id
          )`;
  return (await all(db, statement)).map(({ id }) => id);
}

/** The nearest of `scheduled_at`, `expires_at`, `timeout_at` of live tasks. */
export async function nextDeadline(db: Db): Promise<Instant | undefined> {
  const { dialect } = db;
  const [row] = await all(
    db,
    sql<{ at: Instant | null }>`
      select min(at) as at from (
        select min(scheduled_at) as at from tasks ${dialect.indexed('tasks_scheduled')} where status = 'SCHEDULED'
        union all
        select min(expires_at) from tasks ${dialect.indexed('tasks_pending_expiry')} where status = 'PENDING'
        union all
        select min(timeout_at) from tasks ${dialect.indexed('tasks_in_progress_timeout')}
        where status = 'IN_PROGRESS'
      ) as deadlines`,
  );
  return row?.at ?? undefined;
}

/** Live tasks by state and type. */
export async function countLive(db: Db): Promise<{ status: TaskState; type: TaskType; count: number }[]> {
  const { dialect } = db;
  return all(
    db,
    sql<{ status: TaskState; type: TaskType; count: number }>`
      select status, type, count(*) as count from (
        select status, type from tasks ${dialect.indexed('tasks_scheduled')} where status = 'SCHEDULED'
        union all
        select status, type from tasks ${dialect.indexed('tasks_pending')} where status = 'PENDING'
        union all
        select status, type from tasks ${dialect.indexed('tasks_in_progress')} where status = 'IN_PROGRESS'
      ) as live
      group by status, type
      order by status, type`,
  );
}
