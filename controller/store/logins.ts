import type { Instant } from '../../shared/clock.ts';
import { type Membership, memberColumns } from './accounts.ts';
import type { Db } from './dialect.ts';

/** What a login gave: it lasts until it is ended or not refreshed in time. */
export interface LoginSessionRow {
  id: string;
  accountId: string;
  /** SHA-256 of the one refresh token that is good now, hex. */
  refreshHash: string;
  createdAt: Instant;
  refreshedAt: Instant;
  expiresAt: Instant;
  endedAt: Instant | null;
}

/** Passwords by e-mail in lower case, and sessions by id. */
export interface LoginStore {
  passwordHash(email: string): Promise<string | undefined>;
  setPassword(email: string, hash: string, now: Instant): Promise<void>;
  forgetPassword(email: string): Promise<void>;

  /** Makes room first: of older sessions of the account the newest `keep` stay. */
  insertSession(row: LoginSessionRow, keep: number): Promise<void>;
  session(id: string): Promise<(Membership & { session: LoginSessionRow }) | undefined>;
  /** Only when `refreshHash` is the session's and it has not ended: false otherwise. */
  rotate(
    id: string,
    refreshHash: string,
    next: { refreshHash: string; refreshedAt: Instant; expiresAt: Instant },
  ): Promise<boolean>;
  /** False when it has ended already. */
  endSession(id: string, now: Instant): Promise<boolean>;
  /** All of an account, but one; returns how many. */
  endSessions(accountId: string, now: Instant, except?: string): Promise<number>;
  /** Deletes sessions that expired before. */
  pruneSessions(before: Instant): Promise<void>;
}

export class SqlLoginStore implements LoginStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async passwordHash(email: string): Promise<string | undefined> {
    const row = await this.#db.kysely
      .selectFrom('logins')
      .select('password_hash')
      .where('email', '=', email.toLowerCase())
      .executeTakeFirst();
    return row?.password_hash;
  }

  async setPassword(email: string, hash: string, now: Instant): Promise<void> {
    const values = { password_hash: hash, changed_at: now };
    await this.#db.kysely
      .insertInto('logins')
      .values({ email: email.toLowerCase(), ...values })
      .onConflict((conflict) => conflict.column('email').doUpdateSet(values))
      .execute();
  }

  async forgetPassword(email: string): Promise<void> {
    await this.#db.kysely.deleteFrom('logins').where('email', '=', email.toLowerCase()).execute();
  }

  async insertSession(row: LoginSessionRow, keep: number): Promise<void> {
    const { kysely } = this.#db;
    const newest = kysely
      .selectFrom('login_sessions')
      .select('id')
      .where('account_id', '=', row.accountId)
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(keep);
    await kysely
      .deleteFrom('login_sessions')
      .where('account_id', '=', row.accountId)
      .where('id', 'not in', newest)
      .execute();
    await kysely
      .insertInto('login_sessions')
      .values({
        id: row.id,
        account_id: row.accountId,
        refresh_hash: row.refreshHash,
        created_at: row.createdAt,
        refreshed_at: row.refreshedAt,
        expires_at: row.expiresAt,
        ended_at: row.endedAt,
      })
      .execute();
  }

  async session(id: string): Promise<(Membership & { session: LoginSessionRow }) | undefined> {
    const { kysely } = this.#db;
    const session = await kysely
      .selectFrom('login_sessions')
      .select(sessionColumns)
      .where('id', '=', id)
      .executeTakeFirst();
    if (!session) return undefined;

    const account = await kysely
      .selectFrom('accounts')
      .select(memberColumns)
      .where('id', '=', session.accountId)
      .executeTakeFirst();
    const organization =
      account &&
      (await kysely
        .selectFrom('organizations')
        .select(['id', 'name', 'display_name as displayName', 'created_at as createdAt'])
        .where('id', '=', account.organizationId)
        .executeTakeFirst());
    return account && organization && { session, account, organization };
  }

  async rotate(
    id: string,
    refreshHash: string,
    next: { refreshHash: string; refreshedAt: Instant; expiresAt: Instant },
  ): Promise<boolean> {
    const { numUpdatedRows } = await this.#db.kysely
      .updateTable('login_sessions')
      .set({
        refresh_hash: next.refreshHash,
        refreshed_at: next.refreshedAt,
        expires_at: next.expiresAt,
      })
      .where('id', '=', id)
      .where('refresh_hash', '=', refreshHash)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  async endSession(id: string, now: Instant): Promise<boolean> {
    const { numUpdatedRows } = await this.#db.kysely
      .updateTable('login_sessions')
      .set({ ended_at: now })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  async endSessions(accountId: string, now: Instant, except = ''): Promise<number> {
    const { numUpdatedRows } = await this.#db.kysely
      .updateTable('login_sessions')
      .set({ ended_at: now })
      .where('account_id', '=', accountId)
      .where('id', '!=', except)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    return Number(numUpdatedRows);
  }

  async pruneSessions(before: Instant): Promise<void> {
    await this.#db.kysely.deleteFrom('login_sessions').where('expires_at', '<', before).execute();
  }
}

const sessionColumns = [
  'id',
  'account_id as accountId',
  'refresh_hash as refreshHash',
  'created_at as createdAt',
  'refreshed_at as refreshedAt',
  'expires_at as expiresAt',
  'ended_at as endedAt',
] as const;
