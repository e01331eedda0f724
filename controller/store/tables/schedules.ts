import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Schedules, what each runs, when it is due, and what became of its firings; and what tells runs and tasks where they came from. */
export function scheduleTables(dialect: Dialect): RawBuilder<unknown>[] {
  return [...newTables(dialect), ...addedColumns(dialect)];
}

function newTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, counter, table, keyed } = types;
  return [
    sql`create table schedules (
      id text primary key not null,
      organization_id text not null references organizations (id),
      name text not null,
      description text not null,
      enabled ${integer} not null,
      cron text not null,
      timezone text not null,
      overlap text not null,
      max_retries ${integer} not null,
      retry_delay_ms ${integer} not null,
      created_by text not null,
      created_at ${integer} not null,
      updated_at ${integer} not null,
      last_fired_at ${integer},
      last_run_at ${integer}
    ) ${table}`,
    sql`create unique index schedules_name on schedules (organization_id, name)`,

    sql`create table schedule_times (
      schedule_id text not null references schedules (id) on delete cascade,
      zone text not null,
      next_at ${integer} not null,
      computed_at ${integer} not null,
      primary key (schedule_id, zone)
    ) ${keyed}`,
    sql`create index schedule_times_next on schedule_times (next_at)`,

    sql`create table scheduled_tasks (
      code text primary key not null,
      schedule_id text not null references schedules (id) on delete cascade,
      organization_id text not null references organizations (id),
      kind text not null,
      request text not null,
      enabled ${integer} not null,
      created_by text not null,
      created_at ${integer} not null,
      updated_at ${integer} not null,
      last_fired_at ${integer}
    ) ${table}`,
    sql`create index scheduled_tasks_schedule on scheduled_tasks (schedule_id, created_at, code)`,
    sql`create index scheduled_tasks_organization on scheduled_tasks (organization_id, created_at, code)`,

    sql`create table firings (
      seq ${counter},
      schedule_id text not null references schedules (id) on delete cascade,
      scheduled_task text not null,
      fire_at ${integer} not null,
      zone text not null,
      trigger text not null,
      outcome text not null,
      reason text,
      run_id text,
      at ${integer} not null,
      open ${integer} not null
    ) ${table}`,
    sql`create unique index firings_once on firings (scheduled_task, fire_at, zone) where trigger = 'schedule'`,
    sql`create index firings_schedule on firings (schedule_id, seq)`,
    sql`create index firings_open on firings (scheduled_task) where open = 1`,
    sql`create index firings_at on firings (at)`,
  ];
}

function addedColumns({ types: { integer } }: Dialect): RawBuilder<unknown>[] {
  return [
    sql`alter table runs add column schedule_id text`,
    sql`alter table runs add column schedule text`,
    sql`alter table runs add column scheduled_task text`,
    sql`alter table runs add column retry_of text`,
    sql`alter table runs add column max_retries ${integer} not null default 0`,
    sql`alter table runs add column retry_delay_ms ${integer} not null default 0`,
    sql`alter table runs add column retry_open ${integer} not null default 0`,
    sql`create index runs_retry_open on runs (seq) where retry_open = 1`,
    sql`create index runs_schedule on runs (organization_id, schedule, created_at, seq) where schedule is not null`,

    sql`alter table tasks add column retry_number ${integer} not null default 0`,
    sql`alter table tasks add column superseded ${integer} not null default 0`,
    sql`create unique index tasks_retry on tasks (retry_of) where retry_number > 0`,
    // A task that was retried no longer counts: the retry stands for it.
    sql`drop index tasks_run`,
    sql`create index tasks_run on tasks (run_id, superseded, status, completed_at) where run_id is not null`,
  ];
}
