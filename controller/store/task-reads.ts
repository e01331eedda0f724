import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all } from './dialect.ts';
import type { DeviceTask, TaskFilter, TaskRow } from './tasks.ts';

export async function getTask(
  db: Db,
  organizationId: string | undefined,
  codeOrId: string,
): Promise<TaskRow | undefined> {
  const mine = organizationId === undefined ? sql`` : sql`and t.organization_id = ${organizationId}`;
  const [row] = await read(
    db,
    sql`tasks as t ${joins} where (t.code = ${codeOrId} or t.id = ${codeOrId}) ${mine}`,
  );
  return row;
}

export async function getTasks(db: Db, keys: DeviceTask[]): Promise<TaskRow[]> {
  if (keys.length === 0) return [];
  const { dialect } = db;
  return read(
    db,
    sql`
      ${dialect.rows('j', { deviceId: 'text', code: 'text' }, uniqueKeys(keys))}
      cross join tasks as t ${dialect.indexed('tasks_code')}
      ${joins}
      where t.code = j.code and t.device_id = j.device_id
      order by t.seq`,
  );
}

export async function inProgress(db: Db, deviceIds: string[]): Promise<TaskRow[]> {
  if (deviceIds.length === 0) return [];
  return read(
    db,
    sql`
      ${db.dialect.ids('j', [...new Set(deviceIds)])}
      cross join tasks as t ${db.dialect.indexed('tasks_in_progress')}
      ${joins}
      where t.device_id = j.id and t.status = 'IN_PROGRESS'
      order by t.seq`,
  );
}

export async function poweringOff(db: Db, before: Instant): Promise<TaskRow[]> {
  return read(
    db,
    sql`
      tasks as t ${db.dialect.indexed('tasks_powering_off')}
      ${joins}
      where t.status = 'IN_PROGRESS' and t.powering_off_at is not null and t.powering_off_at < ${before}
      order by t.seq`,
  );
}

export async function listTasks(db: Db, filter: TaskFilter, paging: Paging): Promise<PageOf<TaskRow>> {
  const matching = conditions(db, filter);
  const [count] = await all(
    db,
    sql<{ total: number }>`select count(*) as total from tasks as t where ${matching}`,
  );

  const direction = filter.descending ? 'desc' : 'asc';
  const order = sql.raw(`${sortColumns[filter.sortBy]} ${direction}, t.seq ${direction}`);
  const named = filter.sortBy === 'device_name' ? sql`join devices on devices.id = t.device_id` : sql``;
  const items = await read(
    db,
    sql`
      (
        select t.seq from tasks as t ${named}
        where ${matching}
        order by ${order}
        limit ${paging.perPage} offset ${(paging.page - 1) * paging.perPage}
      ) as p
      cross join tasks as t on t.seq = p.seq
      ${joins}
      order by ${order}`,
  );
  return { items, total: count?.total ?? 0 };
}

function conditions(db: Db, filter: TaskFilter): RawBuilder<unknown> {
  const list = [sql`t.organization_id = ${filter.organizationId}`];
  if (filter.deviceIds !== undefined) list.push(sql`t.device_id in ${db.dialect.list(filter.deviceIds)}`);
  if (filter.status !== undefined) list.push(sql`t.status = ${filter.status}`);
  if (filter.type !== undefined) list.push(sql`t.type = ${filter.type}`);
  if (filter.expired === true) list.push(sql`t.status = 'EXPIRED'`);
  if (filter.expired === false) list.push(sql`t.status <> 'EXPIRED'`);
  if (filter.createdAfter !== undefined) list.push(sql`t.created_at >= ${filter.createdAfter}`);
  if (filter.createdBefore !== undefined) list.push(sql`t.created_at < ${filter.createdBefore}`);
  if (filter.runId !== undefined) list.push(sql`t.run_id = ${filter.runId}`);
  return sql.join(list, sql` and `);
}

const sortColumns: Record<TaskFilter['sortBy'], string> = {
  created_at: 't.created_at',
  updated_at: 't.updated_at',
  scheduled_at: 't.scheduled_at',
  expires_at: 't.expires_at',
  status: 't.status',
  type: 't.type',
  device_name: 'devices.name',
};

/** Each key once, so that no row is told twice. */
function uniqueKeys(keys: DeviceTask[]): DeviceTask[] {
  return [...new Map(keys.map((key) => [`${key.deviceId} ${key.code}`, key])).values()];
}

const joins = sql`
  cross join devices on devices.id = t.device_id
  cross join organizations on organizations.id = t.organization_id`;

const columns =
  sql.raw(`t.seq, t.id, t.code, t.organization_id as "organizationId", t.device_id as "deviceId",
  t.run_id as "runId", t.type, t.status, t.lane, t.parameters, t.force, t.created_by as "createdBy",
  t.created_at as "createdAt", t.scheduled_at as "scheduledAt", t.expires_in_ms as "expiresInMs",
  t.timeout_ms as "timeoutMs", t.expires_at as "expiresAt", t.retry_of as "retryOf", t.attempt, t.progress,
  t.message, t.error_code as "errorCode", t.error_message as "errorMessage", t.result,
  t.late_result as "lateResult", t.updated_at as "updatedAt", t.started_at as "startedAt",
  t.timeout_at as "timeoutAt", t.completed_at as "completedAt", t.cancel_requested_at as "cancelRequestedAt",
  t.powering_off_at as "poweringOffAt", devices.name as "deviceName", organizations.name as "organizationName"`);

type StoredTask = Omit<TaskRow, 'force' | 'result' | 'lateResult'> & {
  force: number;
  result: string | null;
  lateResult: string | null;
};

async function read(db: Db, from: RawBuilder<unknown>): Promise<TaskRow[]> {
  const rows = await all(db, sql<StoredTask>`select ${columns} from ${from}`);
  return rows.map((row) => ({
    ...row,
    force: row.force === 1,
    result: row.result === null ? null : JSON.parse(row.result),
    lateResult: row.lateResult === null ? null : JSON.parse(row.lateResult),
  }));
}
