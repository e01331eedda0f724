import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Releases of the agent that devices can be told to install; their bytes are blobs. */
export function releaseTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table } = types;
  return [
    sql`create table releases (
      id text primary key not null,
      organization_id text not null references organizations (id),
      version text not null,
      platform text not null,
      floor text not null,
      bytes ${integer} not null,
      sha256 text not null,
      signature text not null,
      key_id text not null,
      created_by text not null,
      created_at ${integer} not null,
      promoted_at ${integer},
      yanked_at ${integer}
    ) ${table}`,
    sql`create unique index releases_version on releases (organization_id, version, platform)`,
  ];
}

/** Releases have a name: that of the agent, or of a plugin, whose manifest says which task types it adds. */
export const pluginTables = (): RawBuilder<unknown>[] => [
  sql`alter table releases add column name text not null default 'muster-agent'`,
  sql`alter table releases add column plugin text`,
  sql`drop index releases_version`,
  sql`create unique index releases_version on releases (organization_id, name, version, platform)`,
];
