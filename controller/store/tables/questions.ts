import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/**
 * What tasks and runs ask people. It refers to tasks, runs and devices by id and may outlive them. `device_id` is set when a device
 * waits for the answer; `taken_…` is what that device went on with.
 */
export function questionTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table } = types;
  return [
    sql`create table questions (
      id text primary key not null,
      organization_id text not null references organizations (id),
      run_id text,
      task_id text,
      device_id text,
      prompt text not null,
      options text not null,
      safe text,
      asked_at ${integer} not null,
      expires_at ${integer} not null,
      state text not null,
      answered_at ${integer},
      answered_by text,
      answer text,
      taken_at ${integer},
      taken_reason text,
      taken_answer text
    ) ${table}`,
    sql`create index questions_history on questions (organization_id, asked_at, id)`,
    sql`create index questions_task on questions (task_id) where task_id is not null`,
    sql`create index questions_run on questions (run_id) where run_id is not null`,
    sql`create index questions_pending on questions (expires_at) where state = 'pending'`,
    sql`create index questions_pending_task on questions (task_id) where state = 'pending'`,
    sql`create index questions_untaken on questions (device_id)
      where taken_at is null and device_id is not null and state in ('answered', 'expired')`,
  ];
}
