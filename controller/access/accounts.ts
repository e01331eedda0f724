import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Role } from '../../shared/api/common.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Actor } from '../devices/actor.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { MemberRow, Membership } from '../store/accounts.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { auditEntry } from './audit-entry.ts';
import { forgetIfGone } from './forget-person.ts';
import type { Passwords } from './passwords.ts';

/** 144 bits: 24 characters. */
const madePasswordBytes = 18;

export interface AccountsParts {
  store: Store;
  clock: Clock;
  random: Random;
  passwords: Passwords;
}

/** An account, with the password that was made for it: it is shown only now. */
export interface AccountMade {
  account: MemberRow;
  password?: string;
}

/**
 * Who is in an organization.
 *
 * - An organization never loses its last admin that is enabled.
 * - Whoever is disabled, removed, or given another password loses every session at once; tokens go with the account.
 * - The password of somebody in several organizations is up to the one that had them first.
 */
export class Accounts {
  readonly #parts: AccountsParts;

  constructor(parts: AccountsParts) {
    this.#parts = parts;
  }

  /** Throws `name_taken`; `conflict` when a password is given for somebody who has one elsewhere. */
  async add(
    actor: Actor,
    organization: OrganizationRow,
    wish: { email: string; name: string; role: Role; password?: string | undefined },
  ): Promise<AccountMade> {
    const { store, clock, random } = this.#parts;
    const { email, name, role } = wish;
    const isKnown = (await store.accounts.memberships(email)).length > 0;
    const secret = isKnown ? undefined : await this.#newPassword(wish.password);
    const row = { id: random.uuid(), organizationId: organization.id, email, name, role };
    await store.transaction(async (tables) => {
      const now = clock.now();
      await tables.access.insertAccount({ ...row, createdAt: now });
      const isNew = (await tables.accounts.memberships(email)).length === 1;
      if (isNew !== (secret !== undefined) || (!isNew && wish.password !== undefined)) {
        throw new AppError(
          'conflict',
          `${email} is in another organization already and has a password there: add them without one`,
        );
      }
      if (secret) await tables.logins.setPassword(email, secret.hash, now);
      const what = { action: 'account.create', target: email, detail: { role } } as const;
      await tables.audit.append([auditEntry(actor, now, what)]);
    });
    return { account: await this.get(organization.id, email), ...secret?.shown };
  }

  async get(organizationId: string, email: string): Promise<MemberRow> {
    return found(this.#parts.store, organizationId, email);
  }

  async setRole(actor: Actor, email: string, role: Role): Promise<MemberRow> {
    return this.#change(actor, email, async (tables, account, now) => {
      if (account.role === role) return undefined;
      if (account.role === 'admin') await requireAnotherAdmin(tables, account);
      await tables.accounts.setRole(account.id, role, now);
      return { action: 'account.set_role', detail: { from: account.role, to: role } };
    });
  }

  /** Ends sessions and revokes tokens: enabling it again brings none of them back. */
  async disable(actor: Actor, email: string): Promise<MemberRow> {
    return this.#change(actor, email, async (tables, account, now) => {
      if (account.disabledAt !== null) return undefined;
      await requireAnotherAdmin(tables, account);
      await tables.accounts.setDisabled(account.id, now, now);
      const sessions = await tables.logins.endSessions(account.id, now);
      const tokens = await tables.accounts.revokeTokens(account.id, now);
      return { action: 'account.disable', detail: { sessions, tokens } };
    });
  }

  async enable(actor: Actor, email: string): Promise<MemberRow> {
    return this.#change(actor, email, async (tables, account, now) => {
      if (account.disabledAt === null) return undefined;
      await tables.accounts.setDisabled(account.id, null, now);
      return { action: 'account.enable', detail: {} };
    });
  }

  /** Throws `conflict` when another organization had them first. */
  async resetPassword(actor: Actor, email: string, password?: string): Promise<AccountMade> {
    const secret = await this.#newPassword(password);
    const account = await this.#change(actor, email, async (tables, one, now) => {
      const all = await requireFirst(tables, one);
      await tables.logins.setPassword(email, secret.hash, now);
      let sessions = 0;
      for (const { account: each } of all) sessions += await tables.logins.endSessions(each.id, now);
      return { action: 'account.reset_password', detail: { sessions } };
    });
    return { account, ...secret.shown };
  }

  /** Lets the next identity with this e-mail in. Throws `conflict` when another organization had them first. */
  async unlink(actor: Actor, email: string): Promise<void> {
    await this.#change(actor, email, async (tables, one) => {
      await requireFirst(tables, one);
      const identities = await tables.identities.forget(email);
      return identities === 0 ? undefined : { action: 'account.unlink_identity', detail: { identities } };
    });
  }

  async remove(actor: Actor, email: string): Promise<void> {
    const { store, clock } = this.#parts;
    await store.transaction(async (tables) => {
      const account = await found(tables, actor.organizationId, email);
      await requireAnotherAdmin(tables, account);
      await tables.accounts.remove(account.id);
      await forgetIfGone(tables, email);
      const what = {
        action: 'account.remove',
        target: account.email,
        detail: { role: account.role },
      } as const;
      await tables.audit.append([auditEntry(actor, clock.now(), what)]);
    });
  }

  /** `change` answers what to write down, or undefined when there was nothing to do. */
  async #change(
    actor: Actor,
    email: string,
    change: (
      tables: StoreTables,
      account: MemberRow,
      now: number,
    ) => Promise<{ action: AuditAction; detail: Record<string, unknown> } | undefined>,
  ): Promise<MemberRow> {
    const { store, clock } = this.#parts;
    return store.transaction(async (tables) => {
      const account = await found(tables, actor.organizationId, email);
      const now = clock.now();
      const told = await change(tables, account, now);
      if (told) await tables.audit.append([auditEntry(actor, now, { ...told, target: account.email })]);
      return found(tables, actor.organizationId, email);
    });
  }

  /** Hashed before the transaction: nobody else should wait for it. */
  async #newPassword(given: string | undefined): Promise<{ hash: string; shown: { password?: string } }> {
    const { passwords, random } = this.#parts;
    const password = given ?? Buffer.from(random.bytes(madePasswordBytes)).toString('base64url');
    return { hash: await passwords.hash(password), shown: given === undefined ? { password } : {} };
  }
}

async function found(
  { accounts }: Pick<StoreTables, 'accounts'>,
  organizationId: string,
  email: string,
): Promise<MemberRow> {
  const account = await accounts.byEmail(organizationId, email);
  if (account) return account;
  throw new AppError('not_found', `There is no account ${email} in this organization`);
}

/** Who somebody is, is up to the organization that had them first: no admin elsewhere takes them over. Answers all their accounts. */
async function requireFirst({ accounts }: StoreTables, { id, email }: MemberRow): Promise<Membership[]> {
  const all = await accounts.memberships(email);
  if (all[0]?.account.id === id) return all;
  throw new AppError(
    'conflict',
    `${email} was in another organization first, which alone may change how they log in`,
  );
}

/** Of an account that is about to be no admin any more. */
async function requireAnotherAdmin({ accounts }: StoreTables, account: MemberRow): Promise<void> {
  if (account.role !== 'admin' || account.disabledAt !== null) return;
  if ((await accounts.enabledAdmins(account.organizationId)) > 1) return;
  throw new AppError('conflict', `${account.email} is the last admin: make another account admin first`);
}
