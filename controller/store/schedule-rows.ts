import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { PageOf, Paging, Window } from './access.ts';
import { type Db, all, changed } from './dialect.ts';
import { orNameTaken } from './name-taken.ts';
import type {
  NewSchedule,
  NewScheduledTask,
  ScheduledKind,
  ScheduledTaskRow,
  ScheduleRow,
  ScheduleValues,
} from './schedules.ts';

const nameTaken = (name: string) => () => `A schedule named ${name} exists already`;

export async function insertSchedule(db: Db, schedule: NewSchedule): Promise<void> {
  const { id, organizationId, name, description, enabled, cron, timezone, overlap } = schedule;
  const { maxRetries, retryDelayMs, createdBy, createdAt } = schedule;
  await orNameTaken(db, nameTaken(name), () =>
    all(
      db,
      sql`
        insert into schedules (id, organization_id, name, description, enabled, cron, timezone, overlap, max_retries,
          retry_delay_ms, created_by, created_at, updated_at)
        values (${id}, ${organizationId}, ${name}, ${description}, ${enabled ? 1 : 0}, ${cron}, ${timezone},
          ${overlap}, ${maxRetries}, ${retryDelayMs}, ${createdBy}, ${createdAt}, ${createdAt})`,
    ),
  );
}

export async function updateSchedule(
  db: Db,
  id: string,
  values: ScheduleValues,
  now: Instant,
): Promise<boolean> {
  const { name, description, enabled, cron, timezone, overlap, maxRetries, retryDelayMs } = values;
  let count = 0;
  await orNameTaken(db, nameTaken(name), async () => {
    count = await changed(
      db,
      sql`
        update schedules set name = ${name}, description = ${description}, enabled = ${enabled ? 1 : 0},
          cron = ${cron}, timezone = ${timezone}, overlap = ${overlap}, max_retries = ${maxRetries},
          retry_delay_ms = ${retryDelayMs}, updated_at = ${now}
        where id = ${id}`,
    );
  });
  return count > 0;
}

export async function getSchedule(
  db: Db,
  organizationId: string,
  nameOrId: string,
): Promise<ScheduleRow | undefined> {
  const mine = sql`s.organization_id = ${organizationId}`;
  // The name first: whoever names a schedule like the id of another means the name.
  const [row] = await readSchedules(db, sql`where ${mine} and s.name = ${nameOrId}`);
  return row ?? (await readSchedules(db, sql`where ${mine} and s.id = ${nameOrId}`))[0];
}

export async function listSchedules(
  db: Db,
  organizationId: string,
  { page, perPage }: Paging,
): Promise<PageOf<ScheduleRow>> {
  const [count] = await all(
    db,
    sql<{ total: number }>`select count(*) as total from schedules where organization_id = ${organizationId}`,
  );
  const items = await readSchedules(
    db,
    sql`where s.organization_id = ${organizationId} order by s.name limit ${perPage} offset ${(page - 1) * perPage}`,
  );
  return { items, total: count?.total ?? 0 };
}

export async function listUsedSchedules(
  db: Db,
  { organizationId, kind }: { organizationId: string; kind?: ScheduledKind },
  { limit, offset }: Window,
): Promise<PageOf<ScheduleRow>> {
  const firstKind = sql`(
    select e.kind from scheduled_tasks as e where e.schedule_id = s.id order by e.created_at, e.code limit 1)`;
  const isUsed = kind === undefined ? sql`${firstKind} is not null` : sql`${firstKind} = ${kind}`;
  const which = sql`where s.organization_id = ${organizationId} and ${isUsed}`;
  const [count] = await all(
    db,
    sql<{ total: number }>`select count(*) as total from schedules as s ${which}`,
  );
  const items = await readSchedules(db, sql`${which} order by s.name limit ${limit} offset ${offset}`);
  return { items, total: count?.total ?? 0 };
}

export const schedulesOfDeviceZones = (db: Db): Promise<ScheduleRow[]> =>
  readSchedules(db, sql`where s.timezone = 'device' and s.enabled = 1`);

export async function removeSchedule(db: Db, id: string): Promise<boolean> {
  return (await changed(db, sql`delete from schedules where id = ${id}`)) > 0;
}

export const scheduleColumns = sql.raw(`s.id, s.organization_id as "organizationId",
  organizations.name as "organizationName", s.name, s.description, s.enabled, s.cron, s.timezone, s.overlap,
  s.max_retries as "maxRetries", s.retry_delay_ms as "retryDelayMs", s.created_by as "createdBy",
  s.created_at as "createdAt", s.updated_at as "updatedAt", s.last_fired_at as "lastFiredAt",
  s.last_run_at as "lastRunAt",
  (select min(n.next_at) from schedule_times as n where n.schedule_id = s.id) as "nextRunAt"`);

export type StoredSchedule = Omit<ScheduleRow, 'enabled'> & { enabled: number };

async function readSchedules(db: Db, which: RawBuilder<unknown>): Promise<ScheduleRow[]> {
  const rows = await all(
    db,
    sql<StoredSchedule>`
      select ${scheduleColumns} from schedules as s
      join organizations on organizations.id = s.organization_id ${which}`,
  );
  return rows.map((row) => ({ ...row, enabled: row.enabled === 1 }));
}

export async function insertTask(db: Db, task: NewScheduledTask): Promise<void> {
  const { code, scheduleId, organizationId, kind, request, enabled, createdBy, createdAt } = task;
  try {
    await all(
      db,
      sql`
        insert into scheduled_tasks (code, schedule_id, organization_id, kind, request, enabled, created_by, created_at,
          updated_at)
        values (${code}, ${scheduleId}, ${organizationId}, ${kind}, ${request}, ${enabled ? 1 : 0}, ${createdBy},
          ${createdAt}, ${createdAt})`,
    );
  } catch (cause) {
    if (db.dialect.uniqueViolation(cause) === undefined) throw cause;
    throw new AppError('conflict', `A scheduled task with the code ${code} exists already`, { cause });
  }
}

export async function setTask(
  db: Db,
  code: string,
  { enabled, kind, request }: { enabled: boolean; kind: ScheduledKind; request: string },
  now: Instant,
): Promise<boolean> {
  const set = sql`enabled = ${enabled ? 1 : 0}, kind = ${kind}, request = ${request}, updated_at = ${now}`;
  return (await changed(db, sql`update scheduled_tasks set ${set} where code = ${code}`)) > 0;
}

export async function getTask(
  db: Db,
  organizationId: string,
  code: string,
): Promise<ScheduledTaskRow | undefined> {
  const [row] = await readTasks(db, sql`where e.organization_id = ${organizationId} and e.code = ${code}`);
  return row;
}

export async function listTasks(
  db: Db,
  { organizationId, schedule }: { organizationId: string; schedule: string | undefined },
  { page, perPage }: Paging,
): Promise<PageOf<ScheduledTaskRow>> {
  const of = schedule === undefined ? sql`` : sql`and s.name = ${schedule}`;
  const which = sql`where e.organization_id = ${organizationId} ${of}`;
  const [count] = await all(
    db,
    sql<{ total: number }>`
      select count(*) as total from scheduled_tasks as e join schedules as s on s.id = e.schedule_id ${which}`,
  );
  const items = await readTasks(
    db,
    sql`${which} order by e.created_at, e.code limit ${perPage} offset ${(page - 1) * perPage}`,
  );
  return { items, total: count?.total ?? 0 };
}

export async function tasksOf(db: Db, scheduleIds: string[]): Promise<ScheduledTaskRow[]> {
  if (scheduleIds.length === 0) return [];
  return readTasks(
    db,
    sql`where e.schedule_id in ${db.dialect.list(scheduleIds)} order by e.created_at, e.code`,
  );
}

export async function removeTask(db: Db, code: string): Promise<boolean> {
  return (await changed(db, sql`delete from scheduled_tasks where code = ${code}`)) > 0;
}

async function readTasks(db: Db, which: RawBuilder<unknown>): Promise<ScheduledTaskRow[]> {
  const rows = await all(
    db,
    sql<Omit<ScheduledTaskRow, 'enabled'> & { enabled: number }>`
      select e.code, e.schedule_id as "scheduleId", s.name as "scheduleName", e.organization_id as "organizationId",
        e.kind, e.request, e.enabled, e.created_by as "createdBy", e.created_at as "createdAt",
        e.updated_at as "updatedAt", e.last_fired_at as "lastFiredAt"
      from scheduled_tasks as e join schedules as s on s.id = e.schedule_id ${which}`,
  );
  return rows.map((row) => ({ ...row, enabled: row.enabled === 1 }));
}
