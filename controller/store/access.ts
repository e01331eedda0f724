import type { Instant } from '../../shared/clock.ts';
import type { Role } from '../../shared/api/common.ts';
import type { Labels } from '../../shared/ids.ts';

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
}

/** A bearer's rights, resolved from a token. */
export interface Principal {
  account: AccountRow;
  organization: OrganizationRow;
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

/** Organizations, people and tokens. Names are unique per organization: a duplicate throws `AppError('name_taken')`. */
export interface AccessStore {
  insertOrganization(row: OrganizationRow): Promise<void>;
  organization(nameOrId: string): Promise<OrganizationRow | undefined>;
  organizations(): Promise<OrganizationRow[]>;

  insertAccount(row: AccountRow): Promise<void>;

  insertAccessToken(row: AccessTokenRow): Promise<void>;
  /** The bearer of the token with this hash, revoked and expired ones included: the caller decides and says why. */
  principal(tokenHash: string): Promise<Principal | undefined>;
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
  keepIdempotentAnswer(answer: IdempotentAnswer): Promise<void>;
  /** Deletes answers created before; returns how many. */
  pruneIdempotentAnswers(before: Instant): Promise<number>;
}
