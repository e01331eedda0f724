import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging, Window } from './access.ts';
import { type Db, all, atomically, changed } from './dialect.ts';
import type { FiringKey, FiringRow, NewFiring } from './schedules.ts';

const keyColumns = { task: 'text', fireAt: 'integer', zone: 'text' } as const;

export async function claim(
  db: Db,
  { scheduleId, task, fireAt, zone, at, nextAt, runId }: NewFiring & { nextAt: Instant; runId: string },
): Promise<boolean> {
  const rows = await all(
    db,
    sql`
      insert into firings (schedule_id, scheduled_task, fire_at, zone, trigger, outcome, run_id, at, open)
      select s.id, e.code, ${fireAt}, ${zone}, 'schedule', 'fired', ${runId}, ${at}, 1
      from schedule_times as t
      cross join schedules as s on s.id = t.schedule_id
      cross join scheduled_tasks as e on e.schedule_id = s.id
      where t.schedule_id = ${scheduleId} and t.zone = ${zone} and t.next_at = ${nextAt} and s.enabled = 1
        and e.code = ${task} and e.enabled = 1
      on conflict do nothing
      returning seq`,
  );
  return rows.length > 0;
}

export async function noteManual(db: Db, firing: NewFiring & { runId: string }): Promise<void> {
  const { scheduleId, task, fireAt, zone, at, runId } = firing;
  await all(
    db,
    sql`
      insert into firings (schedule_id, scheduled_task, fire_at, zone, trigger, outcome, run_id, at, open)
      values (${scheduleId}, ${task}, ${fireAt}, ${zone}, 'manual', 'fired', ${runId}, ${at}, 1)`,
  );
  await all(db, sql`update schedules set last_run_at = ${at} where id = ${scheduleId}`);
}

export async function skip(db: Db, skipped: (NewFiring & { reason: string })[]): Promise<FiringKey[]> {
  if (skipped.length === 0) return [];
  const columns = { ...keyColumns, scheduleId: 'text', at: 'integer', reason: 'text' } as const;
  return all(
    db,
    sql<FiringKey>`
      insert into firings (schedule_id, scheduled_task, fire_at, zone, trigger, outcome, reason, at, open)
      select j.schedule_id, j.task, j.fire_at, j.zone, 'schedule', 'skipped', j.reason, j.at, 0
      from ${db.dialect.rows('j', columns, skipped)}
      where exists (select 1 from scheduled_tasks where code = j.task)
      on conflict do nothing
      returning scheduled_task as task, fire_at as "fireAt", zone`,
  );
}

export async function noted(db: Db, keys: FiringKey[]): Promise<FiringKey[]> {
  if (keys.length === 0) return [];
  return all(
    db,
    sql<FiringKey>`
      select j.task, j.fire_at as "fireAt", j.zone
      from ${db.dialect.rows('j', keyColumns, keys)}
      cross join firings as f ${db.dialect.indexed('firings_once')}
      where f.trigger = 'schedule' and f.scheduled_task = j.task and f.fire_at = j.fire_at and f.zone = j.zone`,
  );
}

/** A firing counts as open until somebody asks and finds that its run is over: so only those that may be open are ever looked at. */
export async function busy(
  db: Db,
  keys: { task: string; zone: string }[],
): Promise<{ task: string; zone: string }[]> {
  if (keys.length === 0) return [];
  const { dialect } = db;
  const open = dialect.indexed('firings_open');
  return atomically(db, async (db) => {
    await all(
      db,
      sql`
        update firings set open = 0
        where open = 1 and scheduled_task in ${dialect.list(keys.map(({ task }) => task))}
          and not (${hasOpenRun(db, sql`firings.run_id`)})`,
    );
    return all(
      db,
      sql<{ task: string; zone: string }>`
        select distinct j.task, j.zone
        from ${dialect.rows('j', { task: 'text', zone: 'text' }, keys)}
        cross join firings as f ${open}
        where f.open = 1 and f.scheduled_task = j.task and (f.zone = j.zone or f.zone = '')`,
    );
  });
}

const hasOpenRun = (db: Db, runId: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  exists (
    select 1 from tasks ${db.dialect.indexed('tasks_run')}
    where run_id = ${runId} and superseded = 0 and status in ('SCHEDULED', 'PENDING', 'IN_PROGRESS')
  )
  or exists (select 1 from runs ${db.dialect.indexed('runs_id')} where id = ${runId} and retry_open = 1)
  or exists (select 1 from assistant_runs where run_id = ${runId} and status in ('running', 'waiting'))`;

export async function listFirings(
  db: Db,
  scheduleId: string,
  { page, perPage }: Paging,
): Promise<PageOf<FiringRow>> {
  const [count] = await all(
    db,
    sql<{ total: number }>`select count(*) as total from firings where schedule_id = ${scheduleId}`,
  );
  const items = await all(
    db,
    sql<FiringRow>`
      select schedule_id as "scheduleId", scheduled_task as task, fire_at as "fireAt", zone, trigger, outcome, reason,
        run_id as "runId", at
      from firings ${db.dialect.indexed('firings_schedule')}
      where schedule_id = ${scheduleId}
      order by seq desc
      limit ${perPage} offset ${(page - 1) * perPage}`,
  );
  return { items, total: count?.total ?? 0 };
}

export async function firedRuns(
  db: Db,
  scheduleId: string,
  { limit, offset }: Window,
): Promise<PageOf<string>> {
  const fired = sql`
    from firings ${db.dialect.indexed('firings_schedule')}
    where schedule_id = ${scheduleId} and outcome = 'fired' and run_id is not null`;
  const [count] = await all(db, sql<{ total: number }>`select count(*) as total ${fired}`);
  const rows = await all(
    db,
    sql<{
      runId: string;
    }>`select run_id as "runId" ${fired} order by seq desc limit ${limit} offset ${offset}`,
  );
  return { items: rows.map(({ runId }) => runId), total: count?.total ?? 0 };
}

export const prune = (db: Db, before: Instant, limit: number): Promise<number> =>
  changed(
    db,
    sql`
      delete from firings where seq in (
        select seq from firings ${db.dialect.indexed('firings_at')} where at < ${before} order by at limit ${limit}
      )`,
  );
