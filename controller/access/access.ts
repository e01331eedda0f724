import type { Clock, Random } from '../../shared/clock.ts';
import { generateKeyPair } from '../../shared/node/keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { ControllerIdentity } from '../devices/identity.ts';
import type { Tokens } from '../devices/tokens.ts';
import type { Store } from '../store/store.ts';
import { Accounts } from './accounts.ts';
import { Logins } from './logins.ts';
import { Passwords } from './passwords.ts';
import { SessionJwt } from './session-jwt.ts';

export interface AccessParts {
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  identity: ControllerIdentity;
  tokens: Tokens;
}

/** Who may do what: people who log in, and their accounts. */
export interface Access {
  readonly logins: Logins;
  readonly accounts: Accounts;
}

/** Puts it together. Without a key of its own sessions end with this process. */
export function createAccess(parts: AccessParts): Access {
  const { clock, identity } = parts;
  const passwords = new Passwords();
  const keys = identity.sessionKeys ?? generateKeyPair();
  const jwt = new SessionJwt({ clock, keys, controllerId: identity.controllerId });
  return {
    logins: new Logins({ ...parts, passwords, jwt }),
    accounts: new Accounts({ ...parts, passwords }),
  };
}
