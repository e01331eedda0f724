import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Who people are at an identity provider, logins that wait to be taken up, and organizations that are closed. */
export function identityTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, keyed } = types;
  return [
    sql`create table identities (
      issuer text not null,
      subject text not null,
      email text not null,
      linked_at ${integer} not null,
      used_at ${integer} not null,
      primary key (issuer, subject)
    ) ${keyed}`,
    sql`create unique index identities_email on identities (email, issuer)`,

    sql`create table login_codes (
      hash text primary key not null,
      email text not null,
      organization text,
      challenge text not null,
      expires_at ${integer} not null
    ) ${keyed}`,
    sql`create index login_codes_expires on login_codes (expires_at)`,

    sql`alter table organizations add column closed_at ${integer}`,
  ];
}
