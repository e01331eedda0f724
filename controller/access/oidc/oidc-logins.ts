import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock, Random } from '../../../shared/clock.ts';
import { AppError } from '../../../shared/errors.ts';
import { hashSecret, sameDigest } from '../../../shared/node/keys.ts';
import type { Logger } from '../../../shared/node/logger.ts';
import type { Store } from '../../store/store.ts';
import type { Granted, Logins } from '../logins.ts';
import type { Origin } from '../origin.ts';
import type { OidcPeople } from './people.ts';
import type { OidcProvider } from './provider.ts';
import type { Sealed } from './sealed.ts';

/** Within this somebody must have logged in at the provider. */
export const loginMs = 10 * 60_000;
/** Within this the client must take up the login. */
const codeMs = 60_000;

const BegunLogin = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  challenge: z.string(),
  clientState: z.string(),
  port: z.number(),
  organization: z.string().nullable(),
});
type BegunLogin = z.output<typeof BegunLogin>;

const BegunDevice = z.object({ deviceCode: z.string(), organization: z.string().nullable() });

/** What a client says when it begins a login in a browser. */
export interface OidcWish {
  /** S256 of a verifier that it shows when it takes up the login. */
  challenge: string;
  /** Comes back to it as it is. */
  state: string;
  /** Of loopback, where it listens. */
  port: number;
  organization: string | null;
}

/** A login by another device: `device` stands for it, `interval` is how often to ask. */
export interface BegunDeviceLogin {
  device: string;
  userCode: string;
  verificationUri: string;
  verificationUriComplete: string | undefined;
  expiresInSeconds: number;
  intervalSeconds: number;
}

export interface OidcLoginsParts {
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  logins: Logins;
  provider: OidcProvider;
  people: OidcPeople;
  sealed: Sealed;
}

/**
 * Logins by an identity provider. The controller alone speaks to the provider: neither its tokens nor the client's secret ever leave.
 *
 * - By browser: what began comes back in a cookie, so it ends in the browser in which it began. The client is sent a code, good once
 *   and for a minute, and only with the verifier that it made up itself: whoever reads the code on the way has nothing.
 * - By another device: the client keeps the sealed device code, and asks the controller, which asks the provider.
 */
export class OidcLogins {
  readonly #parts: OidcLoginsParts;

  constructor(parts: OidcLoginsParts) {
    this.#parts = parts;
  }

  /** Where to send the browser, and what it has to bring back. */
  async start(wish: OidcWish): Promise<{ location: string; cookie: string }> {
    const { provider, sealed } = this.#parts;
    const { state: clientState, ...rest } = wish;
    const begun: BegunLogin = {
      ...rest,
      clientState,
      state: this.#secret(),
      nonce: this.#secret(),
      verifier: this.#secret(),
    };
    const location = await provider.authorizationUrl(begun);
    return { location, cookie: await sealed.seal('oidc-login', begun, loginMs) };
  }

  /** Where to send the browser back to: with a code, or with what went wrong. Throws when it did not begin here. */
  async finish(search: string, cookie: string, origin: Origin): Promise<string> {
    const { provider, people, sealed } = this.#parts;
    const begun = await sealed.open('oidc-login', BegunLogin, cookie);
    if (begun === undefined) {
      throw new AppError(
        'not_authenticated',
        'This login did not begin in this browser, or longer than 10 minutes ago: begin again',
      );
    }
    try {
      const claims = await provider.claimsOfCode(search, begun);
      const code = await this.#keepCode(await people.emailOf(claims, origin), begun);
      return this.#backTo(begun, { code });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#refused(error, origin);
      return this.#backTo(begun, { error: error.code, error_description: error.message });
    }
  }

  /** Takes up a login that ended in a browser. */
  async redeem({ code, verifier }: { code: string; verifier: string }, origin: Origin): Promise<Granted> {
    const { store, clock, logins } = this.#parts;
    const kept = await store.identities.takeCode(hashSecret(code));
    if (
      kept === undefined ||
      kept.expiresAt <= clock.now() ||
      !sameDigest(hashSecret(kept.challenge), hashSecret(challengeOf(verifier)))
    ) {
      throw new AppError('not_authenticated', 'The code is not known here, or not any more: begin again');
    }
    return logins.beginVouched(kept, origin);
  }

  async startDevice(organization: string | null): Promise<BegunDeviceLogin> {
    const { provider, sealed } = this.#parts;
    const { deviceCode, ...shown } = await provider.beginDevice();
    const lifetimeMs = shown.expiresInSeconds * 1000;
    const device = await sealed.seal('oidc-device', { deviceCode, organization }, lifetimeMs);
    return { device, ...shown };
  }

  /** Asks once whether somebody has logged in; `slow_down`: ask 5 s later than before. */
  async askDevice(device: string, origin: Origin): Promise<Granted | 'pending' | 'slow_down'> {
    const { provider, people, sealed, logins } = this.#parts;
    const begun = await sealed.open('oidc-device', BegunDevice, device);
    if (begun === undefined) {
      throw new AppError('not_authenticated', 'This login is not known here, or took too long: begin again');
    }
    try {
      const claims = await provider.claimsOfDevice(begun.deviceCode);
      if (claims === 'pending' || claims === 'slow_down') return claims;
      const email = await people.emailOf(claims, origin);
      return await logins.beginVouched({ email, organization: begun.organization }, origin);
    } catch (error) {
      if (error instanceof AppError) this.#refused(error, origin);
      throw error;
    }
  }

  async #keepCode(email: string, { challenge, organization }: BegunLogin): Promise<string> {
    const { store, clock } = this.#parts;
    const code = this.#secret();
    const now = clock.now();
    const row = { hash: hashSecret(code), email, organization, challenge, expiresAt: now + codeMs };
    await store.identities.insertCode(row, now);
    return code;
  }

  #backTo({ port, clientState }: BegunLogin, told: Record<string, string>): string {
    const query = new URLSearchParams({ ...told, state: clientState });
    return `http://127.0.0.1:${port}/?${query}`;
  }

  #refused({ code, message }: AppError, { ipAddress, requestId }: Origin): void {
    // An e-mail may be in the sentence; the code says enough.
    const why = code === 'unavailable' ? { reason: message } : {};
    this.#parts.log.warn({ ipAddress, requestId, code, ...why }, 'login by the identity provider refused');
  }

  #secret(): string {
    return Buffer.from(this.#parts.random.bytes(32)).toString('base64url');
  }
}

const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');
