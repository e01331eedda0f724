import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Remote sessions: who opened which, and what went over the wire. The life is the task's. */
export function sessionTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table } = types;
  return [
    sql`create table sessions (
      id text primary key not null,
      task_code text not null,
      organization_id text not null references organizations (id),
      device_id text not null references devices (id),
      mode text not null,
      opened_by text not null,
      token_hash text not null,
      created_at ${integer} not null,
      device_at ${integer},
      operator_at ${integer},
      operator_address text,
      closed_at ${integer},
      bytes_in ${integer} not null default 0,
      bytes_out ${integer} not null default 0
    ) ${table}`,
    sql`create unique index sessions_task on sessions (task_code)`,
    sql`create index sessions_history on sessions (organization_id, created_at)`,
  ];
}
