import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

export function deviceTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table, keyed } = types;
  return [
    sql`create table devices (
      id text not null,
      organization_id text not null references organizations (id),
      name text not null,
      status text not null,
      public_key text not null,
      labels text not null,
      agent_version text,
      task_types text not null default '[]',
      slots text not null default '{}',
      facts_digest text,
      boot_id text,
      instance_id text,
      epoch ${integer} not null default 0,
      connection ${integer} not null default 0,
      store_id text,
      quarantined_at ${integer},
      quarantine_reason text,
      last_seen_at ${integer},
      created_at ${integer} not null,
      updated_at ${integer} not null,
      removed_at ${integer}
    ) ${table}`,
    sql`create unique index devices_id on devices (id)`,
    sql`create unique index devices_name on devices (organization_id, name) where removed_at is null`,
    sql`create unique index devices_public_key on devices (public_key) where removed_at is null`,

    sql`create table device_facts (
      device_id text primary key not null references devices (id),
      facts text not null
    ) ${table}`,

    sql`create table device_stores (
      device_id text not null references devices (id),
      store_id text not null,
      applied_seq ${integer} not null default 0,
      superseded_at ${integer},
      primary key (device_id, store_id)
    ) ${keyed}`,
  ];
}
