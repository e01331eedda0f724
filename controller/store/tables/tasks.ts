import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/**
 * Live tasks have partial indexes of their own, so that a million finished ones cost nothing to those who look for work. The
 * conditions of the statements repeat `status = '…'` as literals: an index of this kind is not found by a parameter.
 */
export function taskTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, real, counter, table, keyed } = types;
  return [
    sql`create table runs (
      seq ${counter},
      id text not null,
      organization_id text not null references organizations (id),
      type text not null,
      trigger text not null,
      parameters text not null,
      rollout text,
      rollout_open ${integer} not null,
      total ${integer} not null,
      skipped text not null,
      created_by text not null,
      created_at ${integer} not null,
      scheduled_at ${integer},
      stopped_at ${integer},
      stopped_reason text
    ) ${table}`,
    sql`create unique index runs_id on runs (id)`,
    sql`create index runs_history on runs (organization_id, created_at, seq)`,
    sql`create index runs_created on runs (created_at)`,
    sql`create index runs_rollout_open on runs (seq) where rollout_open = 1`,

    sql`create table tasks (
      seq ${counter},
      id text not null,
      code text not null,
      organization_id text not null references organizations (id),
      device_id text not null references devices (id),
      run_id text references runs (id) deferrable initially deferred,
      type text not null,
      status text not null,
      lane text not null,
      parameters text not null,
      force ${integer} not null,
      created_by text not null,
      created_at ${integer} not null,
      scheduled_at ${integer},
      expires_in_ms ${integer} not null,
      timeout_ms ${integer} not null,
      expires_at ${integer},
      retry_of text,
      attempt ${integer} not null default 0,
      progress ${real},
      message text,
      error_code text,
      error_message text,
      result text,
      late_result text,
      updated_at ${integer} not null,
      started_at ${integer},
      timeout_at ${integer},
      completed_at ${integer},
      cancel_requested_at ${integer},
      powering_off_at ${integer}
    ) ${table}`,
    sql`create unique index tasks_id on tasks (id)`,
    sql`create unique index tasks_code on tasks (code)`,

    sql`create index tasks_scheduled on tasks (scheduled_at) where status = 'SCHEDULED'`,
    sql`create index tasks_scheduled_device on tasks (device_id) where status = 'SCHEDULED'`,
    sql`create index tasks_pending on tasks (device_id, lane, seq) where status = 'PENDING'`,
    sql`create index tasks_pending_expiry on tasks (expires_at) where status = 'PENDING'`,
    sql`create index tasks_in_progress on tasks (device_id) where status = 'IN_PROGRESS'`,
    sql`create index tasks_in_progress_timeout on tasks (timeout_at) where status = 'IN_PROGRESS'`,
    sql`create index tasks_powering_off on tasks (powering_off_at)
      where status = 'IN_PROGRESS' and powering_off_at is not null`,

    sql`create index tasks_history on tasks (organization_id, created_at, seq, type)`,
    sql`create index tasks_ended on tasks (organization_id, status, created_at, seq, type)
      where completed_at is not null`,
    sql`create index tasks_device on tasks (device_id, created_at, seq)`,
    sql`create index tasks_run on tasks (run_id, status, completed_at) where run_id is not null`,
    sql`create index tasks_completed on tasks (completed_at) where completed_at is not null`,

    sql`create table task_totals (
      organization_id text primary key not null references organizations (id),
      total ${integer} not null
    ) ${keyed}`,

    sql`create table task_logs (
      task_seq ${integer} not null references tasks (seq) on delete cascade,
      line ${integer} not null,
      stream text not null,
      at ${integer} not null,
      text text not null,
      primary key (task_seq, line)
    ) ${keyed}`,
  ];
}
