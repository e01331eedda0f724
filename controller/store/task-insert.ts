import { sql } from 'kysely';
import { AppError } from '../../shared/errors.ts';
import { type Db, all } from './dialect.ts';
import type { NewTask } from './tasks.ts';

const columns = {
  id: 'text',
  code: 'text',
  organizationId: 'text',
  deviceId: 'text',
  runId: 'text',
  type: 'text',
  status: 'text',
  lane: 'text',
  parameters: 'text',
  force: 'integer',
  createdBy: 'text',
  createdAt: 'integer',
  scheduledAt: 'integer',
  expiresInMs: 'integer',
  timeoutMs: 'integer',
  expiresAt: 'integer',
  retryOf: 'text',
} as const;

/** Inserts tasks in the order given, in one statement. */
export async function insertTasks(db: Db, tasks: NewTask[]): Promise<void> {
  if (tasks.length === 0) return;
  const rows = tasks.map((task) => ({ ...task, force: task.force ? 1 : 0 }));
  const names = sql.raw(
    `id, code, organization_id, device_id, run_id, type, status, lane, parameters, force, created_by, created_at,
      scheduled_at, expires_in_ms, timeout_ms, expires_at, retry_of`,
  );
  try {
    await all(
      db,
      sql`
        insert into tasks (${names}, updated_at)
        select ${names}, created_at from ${db.dialect.rows('j', columns, rows)}`,
    );
  } catch (cause) {
    if (db.dialect.uniqueViolation(cause) === undefined) throw cause;
    throw new AppError('conflict', 'A task with this code or id exists already', { cause });
  }
}
