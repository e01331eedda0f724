import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { type Db, atomically } from './dialect.ts';
import { move } from './task-move.ts';
import type { TaskMove } from './tasks.ts';

interface Why {
  errorCode: string;
  errorMessage: string;
}

/** SCHEDULED → PENDING for what is due, oldest due first; `expires_at` counts from now. */
export function activate(db: Db, now: Instant, limit: number): Promise<TaskMove[]> {
  return move(db, {
    set: sql`status = 'PENDING', expires_at = ${now} + tasks.expires_in_ms, updated_at = ${now}`,
    where: sql`tasks.seq in (
      select seq from tasks ${db.dialect.indexed('tasks_scheduled')}
      where status = 'SCHEDULED' and scheduled_at <= ${now}
      order by scheduled_at, seq
      limit ${limit}
    )`,
  });
}

/** PENDING → EXPIRED for what is past `expires_at`; held tasks of devices that are online get a new one instead. */
export async function expire(
  db: Db,
  now: Instant,
  limit: number,
  held: { runs: string[]; onlineDevices: string[] },
): Promise<TaskMove[]> {
  const { dialect } = db;
  const isDue = sql`${dialect.indexed('tasks_pending_expiry')} where status = 'PENDING' and expires_at <= ${now}`;
  return atomically(db, async (db) => {
    if (held.runs.length > 0 && held.onlineDevices.length > 0) {
      await move(db, {
        set: sql`expires_at = ${now} + tasks.expires_in_ms`,
        where: sql`tasks.seq in (
          select seq from tasks ${isDue}
          and run_id in ${dialect.list(held.runs)} and device_id in ${dialect.list(held.onlineDevices)}
        )`,
      });
    }
    return move(db, {
      set: ended('EXPIRED', now),
      where: sql`tasks.seq in (select seq from tasks ${isDue} order by expires_at, seq limit ${limit})`,
    });
  });
}

/** IN_PROGRESS → FAILED `timed_out` for what is past `timeout_at`. */
export function timeOut(db: Db, now: Instant, limit: number): Promise<TaskMove[]> {
  const why = { errorCode: 'timed_out', errorMessage: 'The device did not report a result in time' };
  return move(db, {
    set: ended('FAILED', now, why),
    where: sql`tasks.seq in (
      select seq from tasks ${db.dialect.indexed('tasks_in_progress_timeout')}
      where status = 'IN_PROGRESS' and timeout_at <= ${now}
      order by timeout_at, seq
      limit ${limit}
    )`,
  });
}

/** SCHEDULED, PENDING → CANCELLED. */
export async function cancelWaiting(db: Db, ids: string[], now: Instant, why?: Why): Promise<TaskMove[]> {
  if (ids.length === 0) return [];
  return move(db, {
    index: 'tasks_id',
    set: ended('CANCELLED', now, why),
    where: sql`tasks.id in ${db.dialect.list(ids)} and tasks.status in ('SCHEDULED', 'PENDING')`,
  });
}

/** Notes the request on tasks that are IN_PROGRESS. */
export async function requestCancel(db: Db, ids: string[], now: Instant): Promise<TaskMove[]> {
  if (ids.length === 0) return [];
  return move(db, {
    index: 'tasks_id',
    set: sql`
      cancel_requested_at = coalesce(tasks.cancel_requested_at, ${now}),
      updated_at = case when tasks.cancel_requested_at is null then ${now} else tasks.updated_at end`,
    where: sql`tasks.id in ${db.dialect.list(ids)} and tasks.status = 'IN_PROGRESS'`,
  });
}

/** IN_PROGRESS → FAILED. */
export async function fail(db: Db, ids: string[], why: Why, now: Instant): Promise<TaskMove[]> {
  if (ids.length === 0) return [];
  return move(db, {
    index: 'tasks_id',
    set: ended('FAILED', now, why),
    where: sql`tasks.id in ${db.dialect.list(ids)} and tasks.status = 'IN_PROGRESS'`,
  });
}

/** SCHEDULED, PENDING, IN_PROGRESS → FAILED `device_removed`. */
export function failDevice(db: Db, deviceId: string, now: Instant): Promise<TaskMove[]> {
  const why = { errorCode: 'device_removed', errorMessage: 'The device was removed' };
  const live = (index: string, status: RawBuilder<unknown>) => sql`
    select seq from tasks ${db.dialect.indexed(index)} where status = ${status} and device_id = ${deviceId}`;
  return move(db, {
    set: ended('FAILED', now, why),
    where: sql`tasks.seq in (
      ${live('tasks_scheduled_device', sql`'SCHEDULED'`)}
      union all ${live('tasks_pending', sql`'PENDING'`)}
      union all ${live('tasks_in_progress', sql`'IN_PROGRESS'`)}
    )`,
  });
}

const ended = (status: 'FAILED' | 'CANCELLED' | 'EXPIRED', now: Instant, why?: Why): RawBuilder<unknown> =>
  sql`status = ${sql.lit(status)}, completed_at = ${now}, updated_at = ${now},
    error_code = ${why?.errorCode ?? null}, error_message = ${why?.errorMessage ?? null}`;
