import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Clock, Instant, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Labels } from '../../shared/ids.ts';
import { hashSecret, keyFingerprint, sameDigest } from '../../shared/node/keys.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import { type EnrolmentTicket, ticketPrefix } from '../../shared/protocol/enrol.ts';
import type {
  AccessTokenRow,
  AccountRow,
  EnrolmentTokenRow,
  OrganizationRow,
  Principal,
} from '../store/access.ts';
import type { NewAuditEntry } from '../store/audit.ts';
import type { Store } from '../store/store.ts';
import type { Actor } from './actor.ts';
import { requireZoneLabel } from './device-zone.ts';

const accessTokenPrefix = 'mst_';
/** 256 bits: no slow hash is needed, for nobody can try them all. */
const secretBytes = 32;
/** Characters of a token that lists show, so that people tell tokens apart. */
const shownLength = 12;
/** `last_used_at` is written at most this often per token. */
const touchEveryMs = 60_000;

export interface TokensParts {
  store: Store;
  clock: Clock;
  random: Random;
  /** The ticket carries them to the device. */
  publicUrl: string;
  controllerKey: string;
}

/** Tokens: shown once when minted, stored as SHA-256. */
export class Tokens {
  readonly #parts: TokensParts;

  constructor(parts: TokensParts) {
    this.#parts = parts;
  }

  /** The bearer of a personal access token. Throws `not_authenticated` or `token_expired`. Remembers when it was used. */
  async authenticate(token: string): Promise<Principal> {
    const { store, clock } = this.#parts;
    const hash = hashSecret(token);
    const principal = token.startsWith(accessTokenPrefix) ? await store.access.principal(hash) : undefined;
    if (principal === undefined || !sameDigest(principal.token.hash, hash)) {
      throw new AppError('not_authenticated', 'The access token is not known here');
    }
    const now = clock.now();
    const { id, name, prefix, revokedAt, expiresAt, lastUsedAt } = principal.token;
    if (revokedAt !== null) {
      throw new AppError('not_authenticated', `Access token ${name} (${prefix}…) was revoked`);
    }
    if (expiresAt !== null && expiresAt <= now) {
      throw new AppError('token_expired', `Access token ${name} (${prefix}…) expired ${iso(expiresAt)}`);
    }
    if (lastUsedAt === null || Math.abs(now - lastUsedAt) >= touchEveryMs) {
      await store.access.touchAccessToken(id, now).catch(unlessDiskFull);
    }
    return principal;
  }

  /** Throws `name_taken`. */
  async mintAccessToken(
    actor: Actor,
    account: AccountRow,
    wish: { name: string; scope: 'RW' | 'RO'; expiresAt: Instant | null },
  ): Promise<{ row: AccessTokenRow; token: string }> {
    const { store, clock, random } = this.#parts;
    const token = accessTokenPrefix + secretOf(random);
    const row: AccessTokenRow = {
      id: random.uuid(),
      accountId: account.id,
      organizationId: account.organizationId,
      prefix: token.slice(0, shownLength),
      hash: hashSecret(token),
      createdAt: clock.now(),
      revokedAt: null,
      lastUsedAt: null,
      ...wish,
    };
    await store.transaction(async (tables) => {
      await tables.access.insertAccessToken(row);
      const detail = { account: account.email, scope: wish.scope };
      await tables.audit.append([this.#audit(actor, 'access_token.create', wish.name, detail)]);
    });
    return { row, token };
  }

  /** Throws `not_found` when there is no such token, or it is revoked already. */
  async revokeAccessToken(actor: Actor, accountId: string, name: string): Promise<void> {
    const { store, clock } = this.#parts;
    await store.transaction(async (tables) => {
      if (!(await tables.access.revokeAccessToken(accountId, name, clock.now()))) {
        throw new AppError('not_found', `There is no access token ${name} that could be revoked`);
      }
      await tables.audit.append([this.#audit(actor, 'access_token.revoke', name, {})]);
    });
  }

  /** `ticket` is the text an operator carries to the device. Throws `name_taken`, and `bad_request` for a label that is none. */
  async mintEnrolmentToken(
    actor: Actor,
    organization: OrganizationRow,
    wish: {
      name: string;
      maxUses: number | null;
      autoApprove: boolean;
      labels: Labels;
      expiresAt: Instant | null;
      /** Whoever uses it takes the place of this device. */
      device?: { id: string; name: string };
    },
  ): Promise<{ row: EnrolmentTokenRow; ticket: string }> {
    const { store, clock, random } = this.#parts;
    requireZoneLabel(wish.labels);
    const secret = secretOf(random);
    const { device, ...rest } = wish;
    const row: EnrolmentTokenRow = {
      id: random.uuid(),
      organizationId: organization.id,
      prefix: secret.slice(0, shownLength - 4),
      hash: hashSecret(secret),
      uses: 0,
      createdAt: clock.now(),
      revokedAt: null,
      deviceId: device?.id ?? null,
      ...rest,
    };
    await store.transaction(async (tables) => {
      await tables.access.insertEnrolmentToken(row);
      const detail = {
        max_uses: wish.maxUses,
        auto_approve: wish.autoApprove,
        ...(device && { rebind: device.name }),
      };
      await tables.audit.append([this.#audit(actor, 'enrolment_token.create', wish.name, detail)]);
    });
    return { row, ticket: this.#ticket(secret) };
  }

  async revokeEnrolmentToken(actor: Actor, name: string): Promise<void> {
    const { store, clock } = this.#parts;
    await store.transaction(async (tables) => {
      if (!(await tables.access.revokeEnrolmentToken(actor.organizationId, name, clock.now()))) {
        throw new AppError('not_found', `There is no enrolment token ${name} that could be revoked`);
      }
      await tables.audit.append([this.#audit(actor, 'enrolment_token.revoke', name, {})]);
    });
  }

  #ticket(secret: string): string {
    const { publicUrl, controllerKey } = this.#parts;
    const ticket: EnrolmentTicket = { url: publicUrl, fingerprint: keyFingerprint(controllerKey), secret };
    return ticketPrefix + Buffer.from(JSON.stringify(ticket)).toString('base64url');
  }

  #audit(actor: Actor, action: AuditAction, target: string, detail: Record<string, unknown>): NewAuditEntry {
    const { name, organizationId, ipAddress, requestId } = actor;
    return {
      at: this.#parts.clock.now(),
      organizationId,
      actor: name,
      action,
      target,
      detail,
      ipAddress,
      requestId,
    };
  }
}

/** When a token was used is good to know; a full disk must not keep its bearer from looking. */
function unlessDiskFull(error: unknown): void {
  if (!isDiskFull(error)) throw error;
}

const secretOf = (random: Random): string => Buffer.from(random.bytes(secretBytes)).toString('base64url');

const iso = (at: Instant): string => new Date(at).toISOString();
