import type { Instant } from '../../shared/clock.ts';
import type { Db } from './dialect.ts';
import { orNameTaken } from './name-taken.ts';

/** Who somebody is at an identity provider, and by which e-mail they are known here. */
export interface IdentityRow {
  issuer: string;
  subject: string;
  /** In lower case. */
  email: string;
  linkedAt: Instant;
  usedAt: Instant;
}

/** A login that a provider vouched for and that a client has yet to take up. */
export interface LoginCodeRow {
  /** SHA-256 of the code, hex. */
  hash: string;
  email: string;
  organization: string | null;
  /** S256 of the verifier that only the client knows. */
  challenge: string;
  expiresAt: Instant;
}

/** Identities at providers; an e-mail has at most one at each. */
export interface IdentityStore {
  find(issuer: string, subject: string): Promise<IdentityRow | undefined>;
  ofEmail(email: string): Promise<IdentityRow[]>;
  /** Throws `AppError('name_taken')` when the identity or the e-mail is linked already. */
  link(row: IdentityRow): Promise<void>;
  used(issuer: string, subject: string, now: Instant): Promise<void>;
  /** Forgets all of an e-mail; returns how many. */
  forget(email: string): Promise<number>;

  /** Deletes codes that expired by `now` first. */
  insertCode(row: LoginCodeRow, now: Instant): Promise<void>;
  /** The code, which is gone with it. */
  takeCode(hash: string): Promise<LoginCodeRow | undefined>;
}

export class SqlIdentityStore implements IdentityStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async find(issuer: string, subject: string): Promise<IdentityRow | undefined> {
    return this.#db.kysely
      .selectFrom('identities')
      .select(identityColumns)
      .where('issuer', '=', issuer)
      .where('subject', '=', subject)
      .executeTakeFirst();
  }

  async ofEmail(email: string): Promise<IdentityRow[]> {
    return this.#db.kysely
      .selectFrom('identities')
      .select(identityColumns)
      .where('email', '=', email.toLowerCase())
      .orderBy('issuer')
      .execute();
  }

  async link({ issuer, subject, email, linkedAt, usedAt }: IdentityRow): Promise<void> {
    const values = { issuer, subject, email: email.toLowerCase(), linked_at: linkedAt, used_at: usedAt };
    await orNameTaken(
      this.#db,
      () => `${email} is linked to another identity of ${issuer}`,
      () => this.#db.kysely.insertInto('identities').values(values).execute(),
    );
  }

  async used(issuer: string, subject: string, now: Instant): Promise<void> {
    await this.#db.kysely
      .updateTable('identities')
      .set({ used_at: now })
      .where('issuer', '=', issuer)
      .where('subject', '=', subject)
      .execute();
  }

  async forget(email: string): Promise<number> {
    const { numDeletedRows } = await this.#db.kysely
      .deleteFrom('identities')
      .where('email', '=', email.toLowerCase())
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  async insertCode({ expiresAt, ...row }: LoginCodeRow, now: Instant): Promise<void> {
    await this.#db.kysely.deleteFrom('login_codes').where('expires_at', '<=', now).execute();
    await this.#db.kysely
      .insertInto('login_codes')
      .values({ ...row, expires_at: expiresAt })
      .execute();
  }

  async takeCode(hash: string): Promise<LoginCodeRow | undefined> {
    return this.#db.kysely
      .deleteFrom('login_codes')
      .where('hash', '=', hash)
      .returning(['hash', 'email', 'organization', 'challenge', 'expires_at as expiresAt'])
      .executeTakeFirst();
  }
}

const identityColumns = ['issuer', 'subject', 'email', 'linked_at as linkedAt', 'used_at as usedAt'] as const;
