import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** What follows a device's key: the next one, its end; and which device the holder of an enrolment token becomes. */
export function keyTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, keyed } = types;
  return [
    sql`alter table devices add column next_public_key text`,
    sql`create unique index devices_next_public_key on devices (next_public_key)
      where next_public_key is not null and removed_at is null`,
    sql`alter table devices add column key_wanted_at ${integer}`,
    sql`alter table devices add column key_revoked_at ${integer}`,
    sql`create table ended_device_keys (
      public_key text primary key not null,
      device_id text not null,
      reason text not null,
      ended_at ${integer} not null
    ) ${keyed}`,
    sql`create index ended_device_keys_device on ended_device_keys (device_id, ended_at)`,
    sql`alter table enrolment_tokens add column device_id text`,
  ];
}
