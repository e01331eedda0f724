import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Bundles, variables, and what is known of the configuration of each device. */
export const configurationTables = (dialect: Dialect): RawBuilder<unknown>[] => [
  ...wishTables(dialect),
  ...deviceConfigTables(dialect),
];

/** What people write. */
function wishTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table, keyed } = types;
  return [
    // Templates, rendered files and manifests: many, small, and written thousands at a time.
    sql`create table texts (
      sha256 text primary key not null,
      text text not null,
      stored_at ${integer} not null
    ) ${table}`,
    sql`create index texts_stored on texts (stored_at)`,

    sql`create table bundles (
      id text primary key not null,
      organization_id text not null references organizations (id),
      name text not null,
      revision ${integer} not null,
      created_at ${integer} not null,
      unique (organization_id, name)
    ) ${table}`,
    sql`create table bundle_revisions (
      bundle_id text not null references bundles (id) on delete cascade,
      revision ${integer} not null,
      profile text not null,
      description text not null,
      targets text not null,
      file_count ${integer} not null,
      created_by text not null,
      created_at ${integer} not null,
      primary key (bundle_id, revision)
    ) ${keyed}`,
    sql`create table bundle_files (
      bundle_id text not null,
      revision ${integer} not null,
      path text not null,
      unit text not null,
      template text references texts (sha256),
      mode text,
      owner text,
      group_name text,
      primary key (bundle_id, revision, path),
      foreign key (bundle_id, revision) references bundle_revisions (bundle_id, revision) on delete cascade
    ) ${keyed}`,
    sql`create index bundle_files_template on bundle_files (template) where template is not null`,

    sql`create table variables (
      organization_id text not null references organizations (id),
      scope text not null,
      key text not null,
      name text not null,
      value text,
      sealed text,
      key_id text,
      tag text,
      updated_by text not null,
      updated_at ${integer} not null,
      primary key (organization_id, scope, key, name)
    ) ${keyed}`,
  ];
}

/** What devices shall be, and what they are. */
function deviceConfigTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table, keyed } = types;
  return [
    sql`create table device_configs (
      device_id text primary key not null references devices (id),
      generation ${integer} not null default 0,
      synced_content text,
      synced_generation ${integer},
      synced_at ${integer},
      base text not null default '{}',
      drift_status text not null default 'NEVER_SYNCED',
      drift_checked_at ${integer},
      units text not null default '[]',
      error text
    ) ${table}`,
    sql`create table rolled_back_contents (
      device_id text not null references devices (id),
      content text not null,
      at ${integer} not null,
      task text,
      reason text not null,
      released_at ${integer},
      primary key (device_id, content)
    ) ${keyed}`,

    sql`create table manifests (
      device_id text not null references devices (id),
      generation ${integer} not null,
      sha256 text not null references texts (sha256),
      bytes ${integer} not null,
      content text not null,
      profile_rev ${integer} not null,
      reason text not null,
      created_at ${integer} not null,
      primary key (device_id, generation)
    ) ${keyed}`,
    sql`create index manifests_text on manifests (sha256)`,
    sql`create index manifests_created on manifests (created_at)`,
    sql`create table manifest_texts (
      device_id text not null,
      generation ${integer} not null,
      sha256 text not null references texts (sha256),
      primary key (device_id, generation, sha256),
      foreign key (device_id, generation) references manifests (device_id, generation) on delete cascade
    ) ${keyed}`,
    sql`create index manifest_texts_text on manifest_texts (sha256)`,
  ];
}
