import { type SelectQueryBuilder, sql } from 'kysely';
import type { Role } from '../../shared/api/common.ts';
import type { Instant } from '../../shared/clock.ts';
import type { AccountRow, OrganizationRow, PageOf, Paging } from './access.ts';
import type { Db } from './dialect.ts';
import type { Schema } from './schema.ts';

/** An account with what became of it. */
export interface MemberRow extends AccountRow {
  disabledAt: Instant | null;
  lastLoginAt: Instant | null;
  updatedAt: Instant | null;
}

/** One account of a person, and the organization it is in. */
export interface Membership {
  account: MemberRow;
  organization: OrganizationRow;
}

/** Who is in an organization, as what. A person with the same e-mail in several organizations has an account in each. */
export interface AccountStore {
  /** All accounts of an e-mail, in any letter case; the oldest first. */
  memberships(email: string): Promise<Membership[]>;
  byEmail(organizationId: string, email: string): Promise<MemberRow | undefined>;
  /** By e-mail. */
  list(organizationId: string, paging: Paging): Promise<PageOf<MemberRow>>;
  /** Accounts of role admin that are not disabled. */
  enabledAdmins(organizationId: string): Promise<number>;
  setRole(id: string, role: Role, now: Instant): Promise<void>;
  /** null: enables it. */
  setDisabled(id: string, disabledAt: Instant | null, now: Instant): Promise<void>;
  loggedIn(id: string, now: Instant): Promise<void>;
  /** Revokes every access token that is not; returns how many. */
  revokeTokens(id: string, now: Instant): Promise<number>;
  /** The account with its tokens, sessions and kept answers. */
  remove(id: string): Promise<void>;
}

export class SqlAccountStore implements AccountStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async memberships(email: string): Promise<Membership[]> {
    const rows = await this.#db.kysely
      .selectFrom('accounts')
      .innerJoin('organizations', 'organizations.id', 'accounts.organization_id')
      .select(memberColumns)
      .select([
        'organizations.name as organizationName',
        'organizations.display_name as displayName',
        'organizations.created_at as organizationCreatedAt',
      ])
      .where(sql`lower(accounts.email)`, '=', email.toLowerCase())
      .orderBy('accounts.created_at')
      .orderBy('accounts.id')
      .execute();
    return rows.map(({ organizationName, displayName, organizationCreatedAt, ...account }) => ({
      account,
      organization: {
        id: account.organizationId,
        name: organizationName,
        displayName,
        createdAt: organizationCreatedAt,
      },
    }));
  }

  async byEmail(organizationId: string, email: string): Promise<MemberRow | undefined> {
    return members(this.#of(organizationId))
      .where(sql`lower(accounts.email)`, '=', email.toLowerCase())
      .executeTakeFirst();
  }

  async list(organizationId: string, paging: Paging): Promise<PageOf<MemberRow>> {
    const { total } = await this.#of(organizationId)
      .select((the) => the.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    const items = await members(this.#of(organizationId))
      .orderBy('accounts.email')
      .limit(paging.perPage)
      .offset((paging.page - 1) * paging.perPage)
      .execute();
    return { items, total };
  }

  async enabledAdmins(organizationId: string): Promise<number> {
    const { total } = await this.#of(organizationId)
      .where('role', '=', 'admin')
      .where('disabled_at', 'is', null)
      .select((the) => the.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    return total;
  }

  async setRole(id: string, role: Role, now: Instant): Promise<void> {
    await this.#change(id, { role, updated_at: now });
  }

  async setDisabled(id: string, disabledAt: Instant | null, now: Instant): Promise<void> {
    await this.#change(id, { disabled_at: disabledAt, updated_at: now });
  }

  async loggedIn(id: string, now: Instant): Promise<void> {
    await this.#change(id, { last_login_at: now });
  }

  async revokeTokens(id: string, now: Instant): Promise<number> {
    const { numUpdatedRows } = await this.#db.kysely
      .updateTable('access_tokens')
      .set({ revoked_at: now })
      .where('account_id', '=', id)
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    return Number(numUpdatedRows);
  }

  async remove(id: string): Promise<void> {
    const { kysely } = this.#db;
    for (const table of ['access_tokens', 'idempotent_answers', 'login_sessions'] as const) {
      await kysely.deleteFrom(table).where('account_id', '=', id).execute();
    }
    await kysely.deleteFrom('accounts').where('id', '=', id).execute();
  }

  #of(organizationId: string) {
    return this.#db.kysely.selectFrom('accounts').where('organization_id', '=', organizationId);
  }

  async #change(
    id: string,
    values: {
      role?: Role;
      disabled_at?: Instant | null;
      updated_at?: Instant;
      last_login_at?: Instant;
    },
  ): Promise<void> {
    await this.#db.kysely.updateTable('accounts').set(values).where('id', '=', id).execute();
  }
}

export const memberColumns = [
  'accounts.id as id',
  'accounts.organization_id as organizationId',
  'accounts.email as email',
  'accounts.name as name',
  'accounts.role as role',
  'accounts.created_at as createdAt',
  'accounts.disabled_at as disabledAt',
  'accounts.last_login_at as lastLoginAt',
  'accounts.updated_at as updatedAt',
] as const;

const members = (from: SelectQueryBuilder<Schema, 'accounts', object>) => from.select(memberColumns);
