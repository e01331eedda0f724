import type { Instant } from '../../shared/clock.ts';
import type { Role } from '../../shared/api/common.ts';
import type { Labels } from '../../shared/ids.ts';
import type { Db } from './dialect.ts';
import {
  enrolmentTokenByHash,
  enrolmentTokens,
  insertEnrolmentToken,
  revokeEnrolmentToken,
  useEnrolmentToken,
} from './enrolment-tokens.ts';
import { idempotentAnswer, keepIdempotentAnswer, pruneIdempotentAnswers } from './idempotent-answers.ts';
import { orNameTaken } from './name-taken.ts';
import { closeOrganization, renameOrganization } from './organization-changes.ts';

export interface OrganizationRow {
  id: string;
  name: string;
  displayName: string;
  createdAt: Instant;
}

export interface AccountRow {
  id: string;
  organizationId: string;
  email: string;
  name: string;
  role: Role;
  createdAt: Instant;
}

export interface AccessTokenRow {
  id: string;
  accountId: string;
  organizationId: string;
  name: string;
  prefix: string;
  /** SHA-256 of the token, hex. */
  hash: string;
  scope: 'RW' | 'RO';
  createdAt: Instant;
  expiresAt: Instant | null;
  revokedAt: Instant | null;
  lastUsedAt: Instant | null;
}

export interface EnrolmentTokenRow {
  id: string;
  organizationId: string;
  name: string;
  prefix: string;
  hash: string;
  uses: number;
  maxUses: number | null;
  autoApprove: boolean;
  labels: Labels;
  createdAt: Instant;
  expiresAt: Instant | null;
  revokedAt: Instant | null;
  /** Who uses it takes the place of this device, instead of becoming a new one. */
  deviceId?: string | null;
}

/** What somebody shows: a personal access token, or the session of a login. */
export type Credential = Pick<AccessTokenRow, 'id' | 'name' | 'scope'>;

/** A bearer's rights. */
export interface Principal {
  account: AccountRow;
  organization: OrganizationRow;
  token: Credential;
  /** A session acts in every organization of its owner, a token in one. */
  isSession?: true;
}

/** The bearer of a personal access token. */
export interface TokenPrincipal extends Principal {
  token: AccessTokenRow;
}

export interface PageOf<Row> {
  items: Row[];
  total: number;
}

export interface Paging {
  page: number;
  perPage: number;
}

/** A part of a list that begins anywhere. */
export interface Window {
  limit: number;
  offset: number;
}

/** An answer kept under an `Idempotency-Key`. */
export interface IdempotentAnswer {
  accountId: string;
  key: string;
  /** SHA-256 of method, path and body: another request under the same key is refused. */
  requestDigest: string;
  status: number;
  body: string;
  createdAt: Instant;
}

/**
 * Organizations, people and tokens. Names are unique: of organizations everywhere, e-mails and enrolment tokens within their
 * organization, access tokens within their account, revoked ones included. A duplicate throws `AppError('name_taken')`.
 */
export interface AccessStore {
  insertOrganization(row: OrganizationRow): Promise<void>;
  organization(nameOrId: string): Promise<OrganizationRow | undefined>;
  organizations(): Promise<OrganizationRow[]>;
  renameOrganization(id: string, values: Pick<OrganizationRow, 'name' | 'displayName'>): Promise<void>;
  /**
   * Closes it, which frees its name: its accounts with their tokens and sessions, its enrolment tokens and its schedules go, the rest
   * stays and belongs to nobody. Returns the e-mails of its accounts.
   */
  closeOrganization(id: string, now: Instant): Promise<string[]>;

  insertAccount(row: AccountRow): Promise<void>;

  insertAccessToken(row: AccessTokenRow): Promise<void>;
  /** The bearer of the token with this hash, revoked and expired ones included: the caller decides and says why. None of a disabled account. */
  principal(tokenHash: string): Promise<TokenPrincipal | undefined>;
  touchAccessToken(id: string, now: Instant): Promise<void>;
  accessTokens(accountId: string, paging: Paging): Promise<PageOf<AccessTokenRow>>;
  /** False when there is no such token, or it is revoked already. */
  revokeAccessToken(accountId: string, name: string, now: Instant): Promise<boolean>;

  insertEnrolmentToken(row: EnrolmentTokenRow): Promise<void>;
  enrolmentTokenByHash(hash: string): Promise<EnrolmentTokenRow | undefined>;
  /** Counts one use, in one conditional update: false when it is used up, expired or revoked. */
  useEnrolmentToken(id: string, now: Instant): Promise<boolean>;
  enrolmentTokens(organizationId: string, paging: Paging): Promise<PageOf<EnrolmentTokenRow>>;
  revokeEnrolmentToken(organizationId: string, name: string, now: Instant): Promise<boolean>;

  idempotentAnswer(accountId: string, key: string): Promise<IdempotentAnswer | undefined>;
  /** Throws `AppError('conflict')` when the key has an answer: the same request was faster, and this one must be undone. */
  keepIdempotentAnswer(answer: IdempotentAnswer): Promise<void>;
  /** Deletes answers created before; returns how many. */
  pruneIdempotentAnswers(before: Instant): Promise<number>;
}

export class SqlAccessStore implements AccessStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insertOrganization(row: OrganizationRow): Promise<void> {
    const values = {
      id: row.id,
      name: row.name,
      display_name: row.displayName,
      created_at: row.createdAt,
      closed_at: null,
    };
    await orNameTaken(
      this.#db,
      () => `Organization ${row.name} exists already`,
      () => this.#db.kysely.insertInto('organizations').values(values).execute(),
    );
  }

  async organization(nameOrId: string): Promise<OrganizationRow | undefined> {
    return this.#db.kysely
      .selectFrom('organizations')
      .select(organizationColumns)
      .where((is) => is.or([is('name', '=', nameOrId), is('id', '=', nameOrId)]))
      .where('closed_at', 'is', null)
      .executeTakeFirst();
  }

  async organizations(): Promise<OrganizationRow[]> {
    return this.#db.kysely
      .selectFrom('organizations')
      .select(organizationColumns)
      .where('closed_at', 'is', null)
      .orderBy('name')
      .execute();
  }

  renameOrganization: AccessStore['renameOrganization'] = (id, values) =>
    renameOrganization(this.#db, id, values);
  closeOrganization: AccessStore['closeOrganization'] = (id, now) => closeOrganization(this.#db, id, now);

  async insertAccount(row: AccountRow): Promise<void> {
    const { organizationId, createdAt, ...rest } = row;
    const values = { ...rest, organization_id: organizationId, created_at: createdAt };
    await orNameTaken(
      this.#db,
      () => `Account ${row.email} exists already`,
      () => this.#db.kysely.insertInto('accounts').values(values).execute(),
    );
  }

  async insertAccessToken(row: AccessTokenRow): Promise<void> {
    const values = {
      id: row.id,
      account_id: row.accountId,
      organization_id: row.organizationId,
      name: row.name,
      prefix: row.prefix,
      hash: row.hash,
      scope: row.scope,
      created_at: row.createdAt,
      expires_at: row.expiresAt,
      revoked_at: row.revokedAt,
      last_used_at: row.lastUsedAt,
    };
    await orNameTaken(
      this.#db,
      () => `An access token named ${row.name} exists already`,
      () => this.#db.kysely.insertInto('access_tokens').values(values).execute(),
    );
  }

  async principal(tokenHash: string): Promise<TokenPrincipal | undefined> {
    const token = await this.#db.kysely
      .selectFrom('access_tokens')
      .select(accessTokenColumns)
      .where('hash', '=', tokenHash)
      .executeTakeFirst();
    if (!token) return undefined;

    const account = await this.#db.kysely
      .selectFrom('accounts')
      .select(['id', 'organization_id as organizationId', 'email', 'name', 'role', 'created_at as createdAt'])
      .where('id', '=', token.accountId)
      .where('disabled_at', 'is', null)
      .executeTakeFirst();
    const organization = await this.organization(token.organizationId);
    return account && organization && { account, organization, token };
  }

  async touchAccessToken(id: string, now: Instant): Promise<void> {
    await this.#db.kysely
      .updateTable('access_tokens')
      .set({ last_used_at: now })
      .where('id', '=', id)
      .execute();
  }

  async accessTokens(accountId: string, paging: Paging): Promise<PageOf<AccessTokenRow>> {
    const matching = this.#db.kysely.selectFrom('access_tokens').where('account_id', '=', accountId);
    const { total } = await matching
      .select((the) => the.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    const items = await matching
      .select(accessTokenColumns)
      .orderBy('created_at', 'desc')
      .orderBy('name')
      .limit(paging.perPage)
      .offset((paging.page - 1) * paging.perPage)
      .execute();
    return { items, total };
  }

  async revokeAccessToken(accountId: string, name: string, now: Instant): Promise<boolean> {
    const { numUpdatedRows } = await this.#db.kysely
      .updateTable('access_tokens')
      .set({ revoked_at: now })
      .where('account_id', '=', accountId)
      .where('name', '=', name)
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  insertEnrolmentToken: AccessStore['insertEnrolmentToken'] = (row) => insertEnrolmentToken(this.#db, row);
  enrolmentTokenByHash: AccessStore['enrolmentTokenByHash'] = (hash) => enrolmentTokenByHash(this.#db, hash);
  useEnrolmentToken: AccessStore['useEnrolmentToken'] = (id, now) => useEnrolmentToken(this.#db, id, now);
  enrolmentTokens: AccessStore['enrolmentTokens'] = (organizationId, paging) =>
    enrolmentTokens(this.#db, organizationId, paging);
  revokeEnrolmentToken: AccessStore['revokeEnrolmentToken'] = (organizationId, name, now) =>
    revokeEnrolmentToken(this.#db, organizationId, name, now);

  idempotentAnswer: AccessStore['idempotentAnswer'] = (accountId, key) =>
    idempotentAnswer(this.#db, accountId, key);
  keepIdempotentAnswer: AccessStore['keepIdempotentAnswer'] = (answer) =>
    keepIdempotentAnswer(this.#db, answer);
  pruneIdempotentAnswers: AccessStore['pruneIdempotentAnswers'] = (before) =>
    pruneIdempotentAnswers(this.#db, before);
}

const organizationColumns = ['id', 'name', 'display_name as displayName', 'created_at as createdAt'] as const;

const accessTokenColumns = [
  'id',
  'account_id as accountId',
  'organization_id as organizationId',
  'name',
  'prefix',
  'hash',
  'scope',
  'created_at as createdAt',
  'expires_at as expiresAt',
  'revoked_at as revokedAt',
  'last_used_at as lastUsedAt',
] as const;
