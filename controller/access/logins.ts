import type { Clock, Instant, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { sameDigest } from '../../shared/node/keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Actor } from '../devices/actor.ts';
import type { Tokens } from '../devices/tokens.ts';
import type { Principal } from '../store/access.ts';
import type { Membership } from '../store/accounts.ts';
import type { LoginSessionRow } from '../store/logins.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { auditEntry } from './audit-entry.ts';
import type { LoginLimit } from './login-limit.ts';
import type { Passwords } from './passwords.ts';
import type { Origin } from './origin.ts';
import { newRefreshToken, parseRefreshToken } from './refresh-token.ts';
import type { SessionJwt } from './session-jwt.ts';

const day = 86_400_000;
/** A session that is not refreshed for so long ends; so does one that is this old. */
const idleMs = 7 * day;
const oldestMs = 30 * day;
/** Sessions one account may have. */
const maxSessions = 50;

/** A session that was begun or refreshed. */
export interface Granted {
  accessToken: string;
  refreshToken: string;
  refreshExpiresAt: Instant;
  membership: Membership;
}

export interface LoginsParts {
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  tokens: Tokens;
  passwords: Passwords;
  limit: LoginLimit;
  jwt: SessionJwt;
}

/**
 * Sessions of people who log in.
 *
 * - Who has no account, or no password, is answered like who has a wrong one, and as late.
 * - A refresh token is good once: used again, whoever has a copy of it and its owner both lose the session.
 * - Every request is held against the store: a session or account that ends is over with the next one.
 */
export class Logins {
  readonly #parts: LoginsParts;

  constructor(parts: LoginsParts) {
    this.#parts = parts;
  }

  /** Throws `not_authenticated` and `too_many_requests`; `disabled` only to who knows the password. */
  async login(
    wish: { email: string; password: string; organization?: string | undefined },
    origin: Origin,
  ): Promise<Granted> {
    const { store, passwords, limit } = this.#parts;
    const email = wish.email.toLowerCase();
    limit.attempt(email, origin.ipAddress);
    const known = await store.logins.passwordHash(email);
    if (!(await passwords.matches(wish.password, known))) {
      // Not the e-mail: people type passwords into the wrong field.
      this.#parts.log.warn({ ipAddress: origin.ipAddress, requestId: origin.requestId }, 'login refused');
      throw new AppError('not_authenticated', 'E-mail or password is wrong');
    }
    limit.succeeded(email);
    const membership = chosen(await store.accounts.memberships(email), wish.organization);
    // A reset in between ends this login, too.
    const stillHolds = async ({ logins }: StoreTables) => (await logins.passwordHash(email)) === known;
    return this.#begin(membership, origin, { stillHolds, detail: {} });
  }

  /** For somebody whom the identity provider vouched for. Throws `disabled`, and `not_found` where they are no member. */
  async beginVouched(
    { email, organization }: { email: string; organization: string | null },
    origin: Origin,
  ): Promise<Granted> {
    const membership = chosen(await this.#parts.store.accounts.memberships(email), organization ?? undefined);
    return this.#begin(membership, origin, { stillHolds: async () => true, detail: { by: 'oidc' } });
  }

  /** Throws `not_authenticated`; a token that was used before ends its session. */
  async refresh(text: string, origin: Origin): Promise<Granted> {
    const { store, clock, random, jwt } = this.#parts;
    const now = clock.now();
    const given = parseRefreshToken(text);
    const found = given && (await store.logins.session(given.sessionId));
    if (given === undefined || found === undefined || !isOpen(found, now)) throw sessionOver();

    const next = newRefreshToken(given.sessionId, random);
    const expiresAt = endOf(found.session.createdAt, now);
    const rotated =
      sameDigest(found.session.refreshHash, given.hash) &&
      (await store.logins.rotate(given.sessionId, given.hash, {
        refreshHash: next.hash,
        refreshedAt: now,
        expiresAt,
      }));
    if (!rotated) {
      await this.#end(found, 'session.reuse', origin);
      throw sessionOver();
    }
    const { session, ...membership } = found;
    const accessToken = await jwt.sign({ sessionId: session.id, accountId: session.accountId });
    return { accessToken, refreshToken: next.text, refreshExpiresAt: expiresAt, membership };
  }

  /** Harmless with a token that is over already. Only the session's newest refresh token ends it. */
  async logout(text: string, origin: Origin): Promise<void> {
    const { store, clock } = this.#parts;
    const given = parseRefreshToken(text);
    const found = given && (await store.logins.session(given.sessionId));
    if (given === undefined || found === undefined || !isOpen(found, clock.now())) return;
    if (sameDigest(found.session.refreshHash, given.hash)) await this.#end(found, 'session.logout', origin);
  }

  /**
   * Whom a bearer's secret stands for: a personal access token, or the access token of a session. A session may be used in every
   * organization its owner is in: `asked` is the one a request names, by name or id.
   */
  async authenticate(secret: string, asked?: string): Promise<Principal> {
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(secret)) return this.#parts.tokens.authenticate(secret);
    const { store, clock, jwt } = this.#parts;
    const found = await store.logins.session(await jwt.verify(secret));
    if (found === undefined || !isOpen(found, clock.now())) throw sessionOver();
    const { session, account, organization } = found;
    const token = { id: session.id, name: sessionName, scope: 'RW' as const };
    const isSession = true;
    if (asked === undefined || asked === organization.name || asked === organization.id) {
      return { account, organization, token, isSession };
    }
    const memberships = await store.accounts.memberships(account.email);
    const other = memberships.find(({ account: one, organization: { id, name } }) => {
      return one.disabledAt === null && (asked === name || asked === id);
    });
    return { account, organization, ...other, token, isSession };
  }

  async #begin(
    membership: Membership,
    origin: Origin,
    how: { stillHolds: (tables: StoreTables) => Promise<boolean>; detail: Record<string, unknown> },
  ): Promise<Granted> {
    const { store, clock, random, jwt } = this.#parts;
    const { account } = membership;
    const now = clock.now();
    const refresh = newRefreshToken(random.uuid(), random);
    const session: LoginSessionRow = {
      id: refresh.sessionId,
      accountId: account.id,
      refreshHash: refresh.hash,
      createdAt: now,
      refreshedAt: now,
      expiresAt: endOf(now, now),
      endedAt: null,
    };
    await store.transaction(async (tables) => {
      if (!(await how.stillHolds(tables))) throw sessionOver();
      await tables.logins.pruneSessions(now);
      await tables.logins.insertSession(session, maxSessions - 1);
      await tables.accounts.loggedIn(account.id, now);
      const what = { action: 'session.login', target: account.email, detail: how.detail } as const;
      await tables.audit.append([auditEntry(actorOf(membership, origin), now, what)]);
    });
    const accessToken = await jwt.sign({ sessionId: session.id, accountId: account.id });
    return { accessToken, refreshToken: refresh.text, refreshExpiresAt: session.expiresAt, membership };
  }

  async #end(
    found: Membership & { session: LoginSessionRow },
    action: 'session.logout' | 'session.reuse',
    origin: Origin,
  ): Promise<void> {
    const { store, clock } = this.#parts;
    await store.transaction(async (tables) => {
      const now = clock.now();
      if (!(await tables.logins.endSession(found.session.id, now))) return;
      const what = { action, target: found.account.email };
      await tables.audit.append([auditEntry(actorOf(found, origin), now, what)]);
    });
  }
}

/** How `auth me` calls what a session shows. */
export const sessionName = 'session';

function chosen(memberships: Membership[], organization: string | undefined): Membership {
  const own = memberships.filter(
    ({ organization: { name } }) => organization === undefined || organization === name,
  );
  const open = own.find(({ account }) => account.disabledAt === null);
  if (open) return open;
  const [closed] = own;
  if (closed) {
    throw new AppError(
      'disabled',
      `Account ${closed.account.email} is disabled in ${closed.organization.name}`,
    );
  }
  throw new AppError('not_found', `You are not a member of ${organization ?? 'any organization'}`);
}

const isOpen = ({ session, account }: Membership & { session: LoginSessionRow }, now: Instant): boolean =>
  session.endedAt === null && session.expiresAt > now && account.disabledAt === null;

const endOf = (createdAt: Instant, now: Instant): Instant => Math.min(now + idleMs, createdAt + oldestMs);

const sessionOver = () => new AppError('not_authenticated', 'The session is over: log in again');

const actorOf = ({ account, organization }: Membership, { ipAddress, requestId }: Origin): Actor => ({
  name: account.email,
  organizationId: organization.id,
  ipAddress,
  requestId,
});
