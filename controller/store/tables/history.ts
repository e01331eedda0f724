import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** What is only ever appended. It refers to tasks, runs and devices by id and outlives them. */
export function historyTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, counter, table } = types;
  return [
    sql`create table events (
      cursor ${counter},
      type text not null,
      at ${integer} not null,
      organization_id text not null,
      device_id text,
      task_id text,
      run_id text,
      data text not null
    ) ${table}`,

    sql`create table audit (
      id ${counter},
      at ${integer} not null,
      organization_id text,
      actor text not null,
      action text not null,
      target text not null,
      detail text not null,
      ip_address text,
      request_id text
    ) ${table}`,
    sql`create index audit_history on audit (organization_id, at, id)`,
    sql`create index audit_at on audit (at)`,
  ];
}
