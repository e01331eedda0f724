import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { ColumnType, Db } from './dialect.ts';
import { move } from './task-move.ts';
import type { DeviceTask, FinishedTask, TaskMove, TaskStore } from './tasks.ts';

/** PENDING → IN_PROGRESS for accepted tasks that are still PENDING and not expired. */
export function start(db: Db, accepted: DeviceTask[], now: Instant, graceMs: number): Promise<TaskMove[]> {
  return moveReported(db, first(accepted), {
    columns: {},
    set: sql`
      status = 'IN_PROGRESS', attempt = 1, message = null, started_at = ${now}, updated_at = ${now},
      timeout_at = ${now} + tasks.timeout_ms + ${graceMs}`,
    where: sql`tasks.status = 'PENDING' and tasks.expires_at > ${now}`,
  });
}

/** PENDING → FAILED for tasks the device will never take. */
export function refuse(
  db: Db,
  refused: (DeviceTask & { errorCode: string; errorMessage: string })[],
  now: Instant,
): Promise<TaskMove[]> {
  return moveReported(db, first(refused), {
    columns: { errorCode: 'text', errorMessage: 'text' },
    set: sql`
      status = 'FAILED', error_code = j.error_code, error_message = j.error_message,
      completed_at = ${now}, updated_at = ${now}`,
    where: sql`tasks.status = 'PENDING'`,
  });
}

/** A passing refusal: stays PENDING, the reason shows as message. */
export async function noteRefusal(
  db: Db,
  refused: (DeviceTask & { message: string })[],
  now: Instant,
): Promise<void> {
  await moveReported(db, last(refused), {
    columns: { message: 'text' },
    set: sql`message = j.message, updated_at = ${now}`,
    where: sql`tasks.status = 'PENDING'`,
  });
}

/** IN_PROGRESS → COMPLETED or FAILED: the first result wins. */
export function finish(db: Db, results: FinishedTask[], now: Instant): Promise<TaskMove[]> {
  return moveReported(db, first(results), {
    columns: {
      outcome: 'text',
      attempt: 'integer',
      message: 'text',
      errorCode: 'text',
      errorMessage: 'text',
      result: 'text',
    },
    set: sql`
      status = case when j.outcome = 'COMPLETED' then 'COMPLETED' else 'FAILED' end,
      attempt = ${db.dialect.greater(sql`tasks.attempt`, sql`j.attempt`)},
      message = j.message, error_code = j.error_code, error_message = j.error_message, result = j.result,
      completed_at = ${now}, updated_at = ${now}`,
    where: sql`tasks.status = 'IN_PROGRESS'`,
  });
}

/** IN_PROGRESS → CANCELLED where a cancel was requested; FAILED `interrupted` where none was. */
export function confirmCancelled(db: Db, keys: DeviceTask[], now: Instant): Promise<TaskMove[]> {
  const unasked = sql`tasks.cancel_requested_at is null`;
  return moveReported(db, first(keys), {
    columns: {},
    set: sql`
      status = case when ${unasked} then 'FAILED' else 'CANCELLED' end,
      error_code = case when ${unasked} then 'interrupted' end,
      error_message = case when ${unasked} then 'The device stopped it, and nobody had asked for that' end,
      completed_at = ${now}, updated_at = ${now}`,
    where: sql`tasks.status = 'IN_PROGRESS'`,
  });
}

/** Keeps what came after the end, once per task, as evidence. */
export function keepLate(
  db: Db,
  late: (DeviceTask & { report: string })[],
  now: Instant,
): Promise<TaskMove[]> {
  return moveReported(db, first(late), {
    columns: { report: 'text' },
    set: sql`late_result = j.report, updated_at = ${now}`,
    where: sql`tasks.late_result is null
      and tasks.status in ('COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED')`,
  });
}

type ProgressRow = Parameters<TaskStore['progress']>[0][number];

/** What is null in a report leaves what was, unless a new attempt begins. */
export function progress(db: Db, rows: ProgressRow[], now: Instant): Promise<TaskMove[]> {
  const merged = new Map<string, Omit<ProgressRow, 'poweringOff'> & { poweringOff: number }>();
  for (const row of rows) {
    const before = merged.get(keyOf(row));
    const same = before?.attempt === row.attempt ? before : undefined;
    merged.set(keyOf(row), {
      ...row,
      percent: row.percent ?? same?.percent ?? null,
      message: row.message ?? same?.message ?? null,
      poweringOff: row.poweringOff || before?.poweringOff ? 1 : 0,
    });
  }
  const value = (reported: RawBuilder<unknown>, stored: RawBuilder<unknown>) =>
    sql`case when j.attempt > tasks.attempt then ${reported} else coalesce(${reported}, ${stored}) end`;
  return moveReported(db, [...merged.values()], {
    columns: { attempt: 'integer', percent: 'real', message: 'text', poweringOff: 'integer' },
    set: sql`
      attempt = ${db.dialect.greater(sql`tasks.attempt`, sql`j.attempt`)},
      progress = ${value(sql`j.percent`, sql`tasks.progress`)},
      message = ${value(sql`j.message`, sql`tasks.message`)},
      powering_off_at = case when j.powering_off = 1 then coalesce(tasks.powering_off_at, ${now})
        else tasks.powering_off_at end,
      updated_at = ${now}`,
    where: sql`tasks.status = 'IN_PROGRESS'`,
  });
}

interface Reported {
  /** What `set` reads of the reports, as columns of `j`. */
  columns: Record<string, ColumnType>;
  set: RawBuilder<unknown>;
  where: RawBuilder<unknown>;
}

/** A move of the tasks that these reports are about. Each may be there once: an update takes any one of several rows. */
async function moveReported(db: Db, reports: DeviceTask[], { columns, set, where }: Reported) {
  if (reports.length === 0) return [];
  return move(db, {
    index: 'tasks_code',
    set,
    from: db.dialect.rows('j', { deviceId: 'text', code: 'text', ...columns }, reports),
    where: sql`tasks.code = j.code and tasks.device_id = j.device_id and ${where}`,
  });
}

const keyOf = ({ deviceId, code }: DeviceTask): string => `${deviceId} ${code}`;

/** The first report of each task. */
function first<Report extends DeviceTask>(reports: Report[]): Report[] {
  return last(reports.toReversed()).reverse();
}

/** The last report of each task. */
function last<Report extends DeviceTask>(reports: Report[]): Report[] {
  return [...new Map(reports.map((report) => [keyOf(report), report])).values()];
}
