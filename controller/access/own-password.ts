import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Actor } from '../devices/actor.ts';
import type { Principal } from '../store/access.ts';
import type { Store } from '../store/store.ts';
import { auditEntry } from './audit-entry.ts';
import type { LoginLimit } from './login-limit.ts';
import type { Passwords } from './passwords.ts';

export interface OwnPasswordParts {
  store: Store;
  clock: Clock;
  passwords: Passwords;
  limit: LoginLimit;
}

/** Changes somebody's own password, for whoever knows the one it replaces. Wrong ones count like those of a login. */
export class OwnPassword {
  readonly #parts: OwnPasswordParts;

  constructor(parts: OwnPasswordParts) {
    this.#parts = parts;
  }

  /** Ends every session of the person but the one that asks; tokens stay. Answers how many. */
  async change(
    actor: Actor,
    { account, token }: Principal,
    { current, next }: { current: string; next: string },
  ): Promise<number> {
    const { store, clock, passwords, limit } = this.#parts;
    const email = account.email.toLowerCase();
    limit.attempt(email, actor.ipAddress ?? '');
    const known = await store.logins.passwordHash(email);
    if (!(await passwords.matches(current, known))) {
      throw new AppError('forbidden', 'The current password is wrong, or you log in without one');
    }
    limit.succeeded(email);
    const hash = await passwords.hash(next);
    return store.transaction(async (tables) => {
      if ((await tables.logins.passwordHash(email)) !== known) {
        throw new AppError('conflict', 'The password was changed by somebody else just now: log in again');
      }
      const now = clock.now();
      await tables.logins.setPassword(email, hash, now);
      let sessions = 0;
      for (const each of await tables.accounts.memberships(email)) {
        sessions += await tables.logins.endSessions(each.account.id, now, token.id);
      }
      const what = {
        action: 'account.change_password',
        target: account.email,
        detail: { sessions },
      } as const;
      await tables.audit.append([auditEntry(actor, now, what)]);
      return sessions;
    });
  }
}
