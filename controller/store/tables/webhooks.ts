import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Who is told of events over HTTP, how far each was told, and what became of each message. */
export function webhookTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table } = types;
  return [
    sql`create table webhooks (
      id text primary key not null,
      organization_id text not null references organizations (id),
      name text not null,
      url text not null,
      events text not null,
      enabled ${integer} not null,
      disabled_reason text,
      secret text not null,
      previous_secret text,
      previous_until ${integer},
      event_cursor ${integer} not null,
      failing_since ${integer},
      last_success_at ${integer},
      created_by text not null,
      created_at ${integer} not null,
      updated_at ${integer} not null
    ) ${table}`,
    sql`create unique index webhooks_name on webhooks (organization_id, name)`,

    sql`create table webhook_deliveries (
      id text primary key not null,
      webhook_id text not null references webhooks (id),
      type text not null,
      body text not null,
      status text not null,
      attempts ${integer} not null default 0,
      next_at ${integer} not null,
      last_at ${integer},
      response_status ${integer},
      response text,
      duration_ms ${integer},
      error text,
      created_at ${integer} not null
    ) ${table}`,
    sql`create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_at) where status = 'PENDING'`,
    sql`create index webhook_deliveries_history on webhook_deliveries (webhook_id, created_at, id)`,
  ];
}
