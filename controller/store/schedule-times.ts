import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all, atomically } from './dialect.ts';
import { scheduleColumns, type StoredSchedule } from './schedule-rows.ts';
import type { Advance, DueTime, ScheduleTime } from './schedules.ts';

const columns = { scheduleId: 'text', zone: 'text', nextAt: 'integer' } as const;

export async function setTimes(
  db: Db,
  scheduleId: string,
  times: Omit<ScheduleTime, 'scheduleId'>[],
  now: Instant,
): Promise<void> {
  await atomically(db, async (db) => {
    await all(db, sql`delete from schedule_times where schedule_id = ${scheduleId}`);
    await addTimes(
      db,
      times.map((time) => ({ ...time, scheduleId })),
      now,
    );
  });
}

export async function addTimes(db: Db, times: ScheduleTime[], now: Instant): Promise<void> {
  if (times.length === 0) return;
  await all(
    db,
    sql`
      insert into schedule_times (schedule_id, zone, next_at, computed_at)
      select j.schedule_id, j.zone, j.next_at, ${now} from ${db.dialect.rows('j', columns, times)}
      where exists (select 1 from schedules where id = j.schedule_id)
      on conflict do nothing`,
  );
}

export async function timesOf(db: Db, scheduleIds: string[]): Promise<ScheduleTime[]> {
  if (scheduleIds.length === 0) return [];
  return all(
    db,
    sql<ScheduleTime>`
      select schedule_id as "scheduleId", zone, next_at as "nextAt" from schedule_times
      where schedule_id in ${db.dialect.list(scheduleIds)} order by next_at, zone`,
  );
}

export async function nextDue(db: Db): Promise<Instant | undefined> {
  const [row] = await all(
    db,
    sql<{ at: Instant | null }>`
      select min(next_at) as at from schedule_times ${db.dialect.indexed('schedule_times_next')}`,
  );
  return row?.at ?? undefined;
}

export const due = (db: Db, now: Instant, limit: number): Promise<DueTime[]> =>
  read(
    db,
    sql`${db.dialect.indexed('schedule_times_next')}`,
    sql`t.next_at <= ${now} order by t.next_at, t.schedule_id, t.zone limit ${limit}`,
  );

export const computedAfter = (db: Db, now: Instant): Promise<DueTime[]> =>
  read(db, sql``, sql`t.computed_at > ${now}`);

async function read(db: Db, index: RawBuilder<unknown>, which: RawBuilder<unknown>): Promise<DueTime[]> {
  const rows = await all(
    db,
    sql<StoredSchedule & { zone: string; nextAt: Instant }>`
      select t.zone, t.next_at as "nextAt", ${scheduleColumns}
      from schedule_times as t ${index}
      cross join schedules as s on s.id = t.schedule_id
      cross join organizations on organizations.id = s.organization_id
      where ${which}`,
  );
  return rows.map(({ zone, nextAt, ...row }) => ({
    scheduleId: row.id,
    zone,
    nextAt,
    schedule: { ...row, enabled: row.enabled === 1 },
  }));
}

export async function advance(db: Db, done: Advance[], now: Instant): Promise<void> {
  if (done.length === 0) return;
  await atomically(db, async (db) => {
    await moveOn(db, done, now);
    await end(
      db,
      done.filter(({ next }) => next === null),
    );
    await noteFired(db, done, now);
  });
}

async function moveOn(db: Db, done: Advance[], now: Instant): Promise<void> {
  const moved = done.filter(({ next }) => next !== null);
  if (moved.length === 0) return;
  await all(
    db,
    sql`
      update schedule_times set next_at = j.next, computed_at = ${now}
      from ${db.dialect.rows('j', { ...columns, next: 'integer' }, moved)}
      where schedule_times.schedule_id = j.schedule_id and schedule_times.zone = j.zone
        and schedule_times.next_at = j.next_at`,
  );
}

async function end(db: Db, ended: Advance[]): Promise<void> {
  for (const { scheduleId, zone, nextAt } of ended) {
    await all(
      db,
      sql`
        delete from schedule_times
        where schedule_id = ${scheduleId} and zone = ${zone} and next_at = ${nextAt}`,
    );
  }
}

async function noteFired(db: Db, done: Advance[], now: Instant): Promise<void> {
  const tasks = new Map<string, Instant>();
  const schedules = new Map<string, Instant>();
  for (const { scheduleId, fired } of done) {
    for (const { task, at } of fired) {
      tasks.set(task, Math.max(at, tasks.get(task) ?? 0));
      schedules.set(scheduleId, Math.max(at, schedules.get(scheduleId) ?? 0));
    }
  }
  if (tasks.size === 0) return;
  const rows = (map: Map<string, Instant>) =>
    db.dialect.rows(
      'j',
      { id: 'text', at: 'integer' },
      [...map].map(([id, at]) => ({ id, at })),
    );
  await all(
    db,
    sql`update scheduled_tasks set last_fired_at = j.at from ${rows(tasks)} where scheduled_tasks.code = j.id`,
  );
  await all(
    db,
    sql`
      update schedules set last_fired_at = j.at, last_run_at = ${now}
      from ${rows(schedules)} where schedules.id = j.id`,
  );
}

export async function deviceZones(
  db: Db,
  organizationId: string,
): Promise<{ name: string; zone: string | null }[]> {
  const { dialect } = db;
  const label = dialect.field(sql`d.labels`, 'timezone');
  const fact = dialect.field(sql`f.facts`, 'timezone');
  return all(
    db,
    sql<{ name: string; zone: string | null }>`
      select d.name, coalesce(${label}, ${fact}) as zone
      from devices as d left join device_facts as f on f.device_id = d.id
      where d.organization_id = ${organizationId} and d.removed_at is null
      order by d.name`,
  );
}
