import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { type Actor, homeOrganization } from '../devices/actor.ts';
import type { OrganizationRow, Principal } from '../store/access.ts';
import type { Membership } from '../store/accounts.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { auditEntry } from './audit-entry.ts';
import { forgetIfGone } from './forget-person.ts';

/** So many organizations on one controller. */
const maxOrganizations = 1_000;

export interface OrganizationsParts {
  store: Store;
  clock: Clock;
  random: Random;
}

/**
 * Organizations: an admin of `default` makes one and is its first admin; what becomes of it is up to its own admins.
 *
 * - Nobody is in an organization whom its admins did not add, whatever they are elsewhere.
 * - `default` keeps its name and is never closed.
 */
export class Organizations {
  readonly #parts: OrganizationsParts;

  constructor(parts: OrganizationsParts) {
    this.#parts = parts;
  }

  /** Where a bearer may act: a session everywhere its owner is, a token where it was made. By name. */
  async of({ account, organization, isSession }: Principal): Promise<Membership[]> {
    const all = await this.#parts.store.accounts.memberships(account.email);
    return all
      .filter(
        (one) => one.account.disabledAt === null && (isSession || one.organization.id === organization.id),
      )
      .sort((left, right) => left.organization.name.localeCompare(right.organization.name, 'en'));
  }

  /** Throws `name_taken`, and `conflict` when there are too many. */
  async create(
    actor: Actor,
    { account }: Principal,
    { name, displayName }: { name: string; displayName: string },
  ): Promise<Membership> {
    const { store, clock, random } = this.#parts;
    return store.transaction(async (tables) => {
      const now = clock.now();
      if ((await tables.access.organizations()).length >= maxOrganizations) {
        throw new AppError(
          'conflict',
          `There are ${maxOrganizations} organizations already: that is the most`,
        );
      }
      const organization: OrganizationRow = { id: random.uuid(), name, displayName, createdAt: now };
      await tables.access.insertOrganization(organization);
      const { email, name: called } = account;
      const row = { id: random.uuid(), organizationId: organization.id, email, name: called, createdAt: now };
      await tables.access.insertAccount({ ...row, role: 'admin' });
      const what = { action: 'organization.create', target: name, detail: { admin: email } } as const;
      const there = { ...actor, organizationId: organization.id };
      await tables.audit.append([actor, there].map((one) => auditEntry(one, now, what)));
      return memberOf(tables, email, organization.id);
    });
  }

  /** Throws `name_taken`, and `conflict` for the name of `default`. */
  async change(
    actor: Actor,
    { account, organization }: Principal,
    wish: { name?: string | undefined; displayName?: string | undefined },
  ): Promise<Membership> {
    const { store, clock } = this.#parts;
    const name = wish.name ?? organization.name;
    const displayName = wish.displayName ?? organization.displayName;
    if (organization.name === homeOrganization && name !== homeOrganization) {
      throw new AppError(
        'conflict',
        `Organization ${homeOrganization} keeps its name: its admins make the others`,
      );
    }
    return store.transaction(async (tables) => {
      await tables.access.renameOrganization(organization.id, { name, displayName });
      const detail = { name, display_name: displayName };
      const what = { action: 'organization.update', target: organization.name, detail } as const;
      await tables.audit.append([auditEntry(actor, clock.now(), what)]);
      return memberOf(tables, account.email, organization.id);
    });
  }

  /** Nobody is in it any more, and nothing of it runs. Its name is free; what happened in it is kept as long as everywhere. */
  async close(actor: Actor, organization: OrganizationRow): Promise<void> {
    const { store, clock } = this.#parts;
    const { id, name } = organization;
    if (name === homeOrganization) {
      throw new AppError(
        'conflict',
        `Organization ${homeOrganization} is never deleted: its admins make the others`,
      );
    }
    await store.transaction(async (tables) => {
      const devices = await tables.devices.count(id);
      if (devices > 0) {
        throw new AppError('conflict', `Organization ${name} has ${devices} devices: remove them first`);
      }
      const now = clock.now();
      const emails = await tables.access.closeOrganization(id, now);
      for (const email of emails) await forgetIfGone(tables, email);
      const home = await tables.access.organization(homeOrganization);
      const what = {
        action: 'organization.delete',
        target: name,
        detail: { accounts: emails.length },
      } as const;
      const seenBy = [actor, ...(home ? [{ ...actor, organizationId: home.id }] : [])];
      await tables.audit.append(seenBy.map((one) => auditEntry(one, now, what)));
    });
  }
}

async function memberOf(
  { accounts }: StoreTables,
  email: string,
  organizationId: string,
): Promise<Membership> {
  const own = (await accounts.memberships(email)).find(
    ({ organization }) => organization.id === organizationId,
  );
  if (own) return own;
  throw new AppError('not_found', `${email} is not a member of this organization any more`);
}
