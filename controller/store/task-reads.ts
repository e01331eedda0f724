import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all } from './dialect.ts';
import type { DeviceTask, TaskRow } from './tasks.ts';

export async function getTask(
  db: Db,
  organizationId: string | undefined,
  codeOrId: string,
): Promise<TaskRow | undefined> {
  const mine = organizationId === undefined ? sql`` : sql`and t.organization_id = ${organizationId}`;
  const [row] = await readTasks(
    db,
    sql`tasks as t ${taskJoins(db)} where (t.code = ${codeOrId} or t.id = ${codeOrId}) ${mine}`,
  );
  return row;
}

export async function getTasks(db: Db, keys: DeviceTask[]): Promise<TaskRow[]> {
  if (keys.length === 0) return [];
  const { dialect } = db;
  return readTasks(
    db,
    sql`
      ${dialect.rows('j', { deviceId: 'text', code: 'text' }, uniqueKeys(keys))}
      cross join tasks as t ${dialect.indexed('tasks_code')}
      ${taskJoins(db)}
      where t.code = j.code and t.device_id = j.device_id
      order by t.seq`,
  );
}

export async function inProgress(db: Db, deviceIds: string[]): Promise<TaskRow[]> {
  if (deviceIds.length === 0) return [];
  return readTasks(
    db,
    sql`
      ${db.dialect.ids('j', [...new Set(deviceIds)])}
      cross join tasks as t ${db.dialect.indexed('tasks_in_progress')}
      ${taskJoins(db)}
      where t.device_id = j.id and t.status = 'IN_PROGRESS'
      order by t.seq`,
  );
}

export async function poweringOff(db: Db, before: Instant): Promise<TaskRow[]> {
  return readTasks(
    db,
    sql`
      tasks as t ${db.dialect.indexed('tasks_powering_off')}
      ${taskJoins(db)}
      where t.status = 'IN_PROGRESS' and t.powering_off_at is not null and t.powering_off_at < ${before}
      order by t.seq`,
  );
}

/** Each key once, so that no row is told twice. */
function uniqueKeys(keys: DeviceTask[]): DeviceTask[] {
  return [...new Map(keys.map((key) => [`${key.deviceId} ${key.code}`, key])).values()];
}

/** Names that are shown with a task. */
export const taskJoins = ({ dialect }: Db): RawBuilder<unknown> => sql`
  cross join devices ${dialect.indexed('devices_id')} on devices.id = t.device_id
  cross join organizations on organizations.id = t.organization_id`;

const columns =
  sql.raw(`t.seq, t.id, t.code, t.organization_id as "organizationId", t.device_id as "deviceId",
  t.run_id as "runId", t.type, t.status, t.lane, t.parameters, t.force, t.created_by as "createdBy",
  t.created_at as "createdAt", t.scheduled_at as "scheduledAt", t.expires_in_ms as "expiresInMs",
  t.timeout_ms as "timeoutMs", t.expires_at as "expiresAt", t.retry_of as "retryOf", t.retry_number as "retryNumber", t.attempt, t.progress,
  t.message, t.error_code as "errorCode", t.error_message as "errorMessage", t.result,
  t.late_result as "lateResult", t.updated_at as "updatedAt", t.started_at as "startedAt",
  t.timeout_at as "timeoutAt", t.completed_at as "completedAt", t.cancel_requested_at as "cancelRequestedAt",
  t.powering_off_at as "poweringOffAt", devices.name as "deviceName", organizations.name as "organizationName"`);

type StoredTask = Omit<TaskRow, 'force' | 'result' | 'lateResult'> & {
  force: number;
  result: string | null;
  lateResult: string | null;
};

/** Rows `from` a table expression in which `t` is the task, with `taskJoins`. */
export async function readTasks(db: Db, from: RawBuilder<unknown>): Promise<TaskRow[]> {
  const rows = await all(db, sql<StoredTask>`select ${columns} from ${from}`);
  return rows.map((row) => ({
    ...row,
    force: row.force === 1,
    result: row.result === null ? null : JSON.parse(row.result),
    lateResult: row.lateResult === null ? null : JSON.parse(row.lateResult),
  }));
}
