import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { type Db, all, atomically } from './dialect.ts';
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
  retryNumber: 'integer',
} as const;

/** Inserts tasks in the order given, in one statement. */
export async function insertTasks(db: Db, tasks: NewTask[]): Promise<void> {
  if (tasks.length === 0) return;
  const rows = tasks.map((task) => ({
    ...task,
    force: task.force ? 1 : 0,
    retryNumber: task.retryNumber ?? 0,
  }));
  const names = sql.raw(
    `id, code, organization_id, device_id, run_id, type, status, lane, parameters, force, created_by, created_at,
      scheduled_at, expires_in_ms, timeout_ms, expires_at, retry_of, retry_number`,
  );
  await atomically(db, async (db) => {
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
    await addToTotals(db, tasks, 1);
  });
}

/** Deletes ended tasks, and by the foreign key their logs. */
export async function pruneTasks(db: Db, before: Instant, limit: number): Promise<number> {
  return atomically(db, async (db) => {
    const deleted = await all(
      db,
      sql<{ organizationId: string }>`
        delete from tasks where seq in (
          select seq from tasks ${db.dialect.indexed('tasks_completed')}
          where completed_at is not null and completed_at < ${before}
          order by completed_at
          limit ${limit}
        )
        returning organization_id as "organizationId"`,
    );
    await addToTotals(db, deleted, -1);
    return deleted.length;
  });
}

/** Keeps count of the tasks of each organization. */
async function addToTotals(db: Db, tasks: { organizationId: string }[], sign: 1 | -1): Promise<void> {
  if (tasks.length === 0) return;
  const totals = new Map<string, number>();
  for (const { organizationId } of tasks) {
    totals.set(organizationId, (totals.get(organizationId) ?? 0) + sign);
  }
  const rows = [...totals].map(([organizationId, total]) => ({ organizationId, total }));
  await all(
    db,
    sql`
      insert into task_totals (organization_id, total)
      select j.organization_id, j.total
      from ${db.dialect.rows('j', { organizationId: 'text', total: 'integer' }, rows)}
      where true
      on conflict (organization_id) do update set total = task_totals.total + excluded.total`,
  );
}
