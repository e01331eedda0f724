import { Email } from '../../../shared/api/accounts.ts';
import type { Clock, Instant, Random } from '../../../shared/clock.ts';
import { AppError } from '../../../shared/errors.ts';
import type { Actor } from '../../devices/actor.ts';
import type { Store, StoreTables } from '../../store/store.ts';
import { auditEntry } from '../audit-entry.ts';
import type { Origin } from '../origin.ts';
import type { OidcSettings } from './oidc-config.ts';
import type { Claims } from './provider.ts';

export interface OidcPeopleParts {
  store: Store;
  clock: Clock;
  random: Random;
  settings: OidcSettings;
}

/**
 * Which person an identity at the provider is.
 *
 * - One that was here before is known by issuer and subject, whatever its e-mail is by now.
 * - The first time, by an e-mail that the provider says it verified; an e-mail has one identity at each provider.
 * - Who has no account is refused, or given one of the configured role.
 */
export class OidcPeople {
  readonly #parts: OidcPeopleParts;

  constructor(parts: OidcPeopleParts) {
    this.#parts = parts;
  }

  /** The e-mail by which somebody is known here. Throws `forbidden`. */
  async emailOf(claims: Claims, origin: Origin): Promise<string> {
    const { store, clock } = this.#parts;
    return store.transaction(async (tables) => {
      const now = clock.now();
      const { issuer, subject } = claims;
      const known = await tables.identities.find(issuer, subject);
      if (known === undefined) return this.#meet(tables, claims, { origin, now });
      this.#requireDomain(known.email);
      await tables.identities.used(issuer, subject, now);
      return known.email;
    });
  }

  async #meet(
    tables: StoreTables,
    claims: Claims,
    { origin, now }: { origin: Origin; now: Instant },
  ): Promise<string> {
    const { issuer, subject } = claims;
    const email = verifiedEmail(claims);
    this.#requireDomain(email);
    const [first] = await tables.accounts.memberships(email);
    const organizationId =
      first?.organization.id ?? (await this.#create(tables, { email, claims, origin, now }));
    if ((await tables.identities.ofEmail(email)).some((one) => one.issuer === issuer)) {
      throw new AppError(
        'forbidden',
        `${email} belongs to another identity of ${issuer}: an admin may unlink that one`,
      );
    }
    await tables.identities.link({ issuer, subject, email, linkedAt: now, usedAt: now });
    const actor: Actor = { name: email, organizationId, ...origin };
    const what = { action: 'account.link_identity', target: email, detail: { issuer, subject } } as const;
    await tables.audit.append([auditEntry(actor, now, what)]);
    return email;
  }

  /** The organization in which the account was made. */
  async #create(
    tables: StoreTables,
    { email, claims, origin, now }: { email: string; claims: Claims; origin: Origin; now: Instant },
  ): Promise<string> {
    const { random, settings } = this.#parts;
    const role = settings.create_accounts;
    if (role === 'none') {
      throw new AppError('forbidden', `There is no account ${email}: an admin has to add it first`);
    }
    const organization = await tables.access.organization(settings.organization);
    if (organization === undefined) {
      throw new AppError(
        'unavailable',
        `Accounts are made in ${settings.organization}, which does not exist`,
      );
    }
    const name = (claims.name ?? email).slice(0, 128);
    const row = { id: random.uuid(), organizationId: organization.id, email, name, role, createdAt: now };
    await tables.access.insertAccount(row);
    const actor: Actor = { name: email, organizationId: organization.id, ...origin };
    const what = {
      action: 'account.create',
      target: email,
      detail: { role, issuer: claims.issuer },
    } as const;
    await tables.audit.append([auditEntry(actor, now, what)]);
    return organization.id;
  }

  #requireDomain(email: string): void {
    const { allowed_domains: allowed } = this.#parts.settings;
    const domain = email.slice(email.lastIndexOf('@') + 1);
    if (allowed === undefined || allowed.includes(domain)) return;
    throw new AppError('forbidden', `E-mails of ${domain} may not log in by the identity provider`);
  }
}

function verifiedEmail({ issuer, email, isEmailVerified }: Claims): string {
  if (email === undefined) {
    throw new AppError('forbidden', `${issuer} tells no e-mail of you, and you have not been here before`);
  }
  if (!isEmailVerified) throw new AppError('forbidden', `${issuer} has not verified the e-mail ${email}`);
  const read = Email.safeParse(email);
  if (read.success) return read.data;
  throw new AppError(
    'forbidden',
    `${issuer} tells ${JSON.stringify(email)}, which is no e-mail address of ASCII characters`,
  );
}
