import type { Clock, Random } from '../../shared/clock.ts';
import { generateKeyPair } from '../../shared/node/keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { ControllerIdentity } from '../devices/identity.ts';
import type { Tokens } from '../devices/tokens.ts';
import type { Store } from '../store/store.ts';
import { Accounts } from './accounts.ts';
import { LoginLimit } from './login-limit.ts';
import { Logins } from './logins.ts';
import type { OidcSettings } from './oidc/oidc-config.ts';
import { OidcLogins } from './oidc/oidc-logins.ts';
import { OidcPeople } from './oidc/people.ts';
import { OidcProvider } from './oidc/provider.ts';
import { Sealed } from './oidc/sealed.ts';
import { Organizations } from './organizations.ts';
import { OwnPassword } from './own-password.ts';
import { Passwords } from './passwords.ts';
import { SessionJwt } from './session-jwt.ts';

export interface AccessParts {
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  identity: ControllerIdentity;
  tokens: Tokens;
  /** Base URL that people reach the controller under. */
  publicUrl: string;
  /** The identity provider, when there is one. */
  oidc?: OidcSettings | undefined;
}

/** Under the public URL; the provider sends browsers to this address and no other. */
export const oidcCallbackPath = '/api/auth/oidc/callback';

/** Who may do what: people who log in, and their accounts. */
export interface Access {
  readonly logins: Logins;
  readonly accounts: Accounts;
  readonly ownPassword: OwnPassword;
  readonly organizations: Organizations;
  /** Undefined when no identity provider is configured. */
  readonly oidc: OidcLogins | undefined;
}

/** Puts it together. Without a key of its own sessions end with this process. */
export function createAccess(parts: AccessParts): Access {
  const { clock, identity } = parts;
  const passwords = new Passwords();
  const keys = identity.sessionKeys ?? generateKeyPair();
  const jwt = new SessionJwt({ clock, keys, controllerId: identity.controllerId });
  const limit = new LoginLimit(clock);
  const logins = new Logins({ ...parts, passwords, limit, jwt });
  return {
    logins,
    accounts: new Accounts({ ...parts, passwords }),
    organizations: new Organizations(parts),
    ownPassword: new OwnPassword({ ...parts, passwords, limit }),
    oidc: parts.oidc && createOidc({ ...parts, logins, sealed: new Sealed(clock, keys) }, parts.oidc),
  };
}

function createOidc(
  parts: AccessParts & { logins: Logins; sealed: Sealed },
  settings: OidcSettings,
): OidcLogins {
  const redirectUri = parts.publicUrl.replace(/\/$/, '') + oidcCallbackPath;
  const provider = new OidcProvider({ settings, redirectUri, clock: parts.clock });
  return new OidcLogins({ ...parts, provider, people: new OidcPeople({ ...parts, settings }) });
}
