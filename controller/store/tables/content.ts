import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Bytes kept under their digest and who holds them, versions of configurations, and backups. */
export function contentTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table, keyed } = types;
  return [
    sql`create table blobs (
      sha256 text primary key not null,
      size ${integer} not null,
      stored_at ${integer} not null,
      deleting_at ${integer}
    ) ${keyed}`,
    sql`create index blobs_stored on blobs (stored_at)`,
    sql`create index blobs_deleting on blobs (deleting_at) where deleting_at is not null`,
    sql`create table blob_refs (
      sha256 text not null references blobs (sha256),
      kind text not null,
      holder text not null,
      primary key (sha256, kind, holder)
    ) ${keyed}`,
    sql`create index blob_refs_holder on blob_refs (kind, holder)`,

    sql`create table snapshots (
      device_id text not null references devices (id),
      version ${integer} not null,
      organization_id text not null references organizations (id),
      reason text not null,
      ruleset text not null,
      profile text not null,
      view_sha256 text not null,
      bytes ${integer} not null,
      raw_sha256 text,
      units text not null,
      first_seen_at ${integer} not null,
      last_seen_at ${integer} not null,
      task text,
      primary key (device_id, version)
    ) ${table}`,

    sql`create table archives (
      id text primary key not null,
      organization_id text not null references organizations (id),
      device_id text not null references devices (id),
      task text unique,
      size ${integer} not null,
      sha256 text not null,
      manifest_sha256 text not null,
      content text not null,
      files ${integer} not null,
      made_at ${integer} not null,
      stored_at ${integer} not null,
      readable_at ${integer},
      restorable_at ${integer},
      verified_at ${integer},
      unchanged_at ${integer},
      damaged_at ${integer},
      damage text,
      recipients text not null,
      statement text not null,
      signature text not null,
      device_key text not null
    ) ${table}`,
    sql`create index archives_device on archives (device_id, stored_at)`,
    sql`create index archives_organization on archives (organization_id, stored_at, id)`,

    sql`create table backup_configs (
      organization_id text primary key not null references organizations (id),
      config text not null,
      updated_at ${integer} not null
    ) ${table}`,

    sql`create table retention_plans (
      organization_id text not null references organizations (id),
      digest text not null,
      archives text not null,
      created_at ${integer} not null,
      applied_at ${integer},
      primary key (organization_id, digest)
    ) ${table}`,
    sql`create index retention_plans_created on retention_plans (created_at)`,
  ];
}
