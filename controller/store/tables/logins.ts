import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Passwords, sessions of people who logged in, and what an account is besides its role. */
export function loginTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, table, keyed } = types;
  return [
    sql`alter table accounts add column disabled_at ${integer}`,
    sql`alter table accounts add column last_login_at ${integer}`,
    sql`alter table accounts add column updated_at ${integer}`,
    sql`create index accounts_email on accounts (lower(email))`,

    sql`create table logins (
      email text primary key not null,
      password_hash text not null,
      changed_at ${integer} not null
    ) ${keyed}`,

    sql`create table login_sessions (
      id text primary key not null,
      account_id text not null references accounts (id),
      refresh_hash text not null,
      created_at ${integer} not null,
      refreshed_at ${integer} not null,
      expires_at ${integer} not null,
      ended_at ${integer}
    ) ${table}`,
    sql`create index login_sessions_account on login_sessions (account_id, created_at)`,
    sql`create index login_sessions_expires on login_sessions (expires_at)`,
  ];
}
