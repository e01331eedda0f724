import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

export function accessTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table, keyed } = types;
  return [
    sql`create table settings (name text primary key not null, value text not null) ${keyed}`,

    sql`create table organizations (
      id text primary key not null,
      name text not null unique,
      display_name text not null,
      created_at ${integer} not null
    ) ${table}`,

    sql`create table accounts (
      id text primary key not null,
      organization_id text not null references organizations (id),
      email text not null,
      name text not null,
      role text not null,
      created_at ${integer} not null,
      unique (organization_id, email)
    ) ${table}`,

    sql`create table access_tokens (
      id text primary key not null,
      account_id text not null references accounts (id),
      organization_id text not null references organizations (id),
      name text not null,
      prefix text not null,
      hash text not null unique,
      scope text not null,
      created_at ${integer} not null,
      expires_at ${integer},
      revoked_at ${integer},
      last_used_at ${integer},
      unique (account_id, name)
    ) ${table}`,

    sql`create table enrolment_tokens (
      id text primary key not null,
      organization_id text not null references organizations (id),
      name text not null,
      prefix text not null,
      hash text not null unique,
      uses ${integer} not null,
      max_uses ${integer},
      auto_approve ${integer} not null,
      labels text not null,
      created_at ${integer} not null,
      expires_at ${integer},
      revoked_at ${integer},
      unique (organization_id, name)
    ) ${table}`,

    sql`create table idempotent_answers (
      account_id text not null references accounts (id),
      key text not null,
      request_digest text not null,
      status ${integer} not null,
      body text not null,
      created_at ${integer} not null,
      primary key (account_id, key)
    ) ${table}`,
    sql`create index idempotent_answers_created on idempotent_answers (created_at)`,
  ];
}
