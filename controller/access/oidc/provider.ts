import * as oidc from 'openid-client';
import type { Clock } from '../../../shared/clock.ts';
import { providerFailure } from './provider-failure.ts';
import type { OidcSettings } from './oidc-config.ts';

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
const timeoutSeconds = 10;
/** What a provider says of itself is read again after this. */
const metadataMs = 10 * 60_000;

/** What a provider vouches for. */
export interface Claims {
  issuer: string;
  subject: string;
  email: string | undefined;
  isEmailVerified: boolean;
  name: string | undefined;
}

/** What of a login by code must come back as it went. */
export interface CodeChecks {
  state: string;
  nonce: string;
  verifier: string;
}

export interface DeviceAuthorization {
  deviceCode: string;
  userCode: string;
  verificationUri: string;
  verificationUriComplete: string | undefined;
  expiresInSeconds: number;
  intervalSeconds: number;
}

/**
 * Speaks to the identity provider. Of an ID token issuer, audience, expiry, nonce and, by the keys that the provider publishes, its
 * signature are checked; keys are read for every login, so that new ones count at once.
 */
export class OidcProvider {
  readonly #settings: OidcSettings;
  readonly #redirectUri: string;
  readonly #clock: Clock;
  #metadata: { readAt: number; told: Promise<oidc.ServerMetadata> } | undefined;

  constructor({
    settings,
    redirectUri,
    clock,
  }: { settings: OidcSettings; redirectUri: string; clock: Clock }) {
    this.#settings = settings;
    this.#redirectUri = redirectUri;
    this.#clock = clock;
  }

  /** Where a browser goes to log in. */
  async authorizationUrl({ state, nonce, verifier }: CodeChecks): Promise<string> {
    return this.#asking(async (client) => {
      const url = oidc.buildAuthorizationUrl(client, {
        redirect_uri: this.#redirectUri,
        scope: this.#settings.scopes,
        state,
        nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      });
      return url.href;
    });
  }

  /** `search`: the query with which the browser came back. */
  async claimsOfCode(search: string, { state, nonce, verifier }: CodeChecks): Promise<Claims> {
    return this.#asking(async (client) => {
      const answer = await oidc.authorizationCodeGrant(client, new URL(this.#redirectUri + search), {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      return this.#claims(client, answer);
    });
  }

  async beginDevice(): Promise<DeviceAuthorization> {
    return this.#asking(async (client) => {
      const answer = await oidc.initiateDeviceAuthorization(client, { scope: this.#settings.scopes });
      return {
        deviceCode: answer.device_code,
        userCode: answer.user_code,
        verificationUri: answer.verification_uri,
        verificationUriComplete: answer.verification_uri_complete,
        expiresInSeconds: answer.expires_in,
        intervalSeconds: answer.interval ?? 5,
      };
    });
  }

  /** Asks once. */
  async claimsOfDevice(deviceCode: string): Promise<Claims | 'pending' | 'slow_down'> {
    return this.#asking(async (client) => {
      try {
        const answer = await oidc.genericGrantRequest(client, deviceGrant, { device_code: deviceCode });
        return await this.#claims(client, answer);
      } catch (error) {
        if (!(error instanceof oidc.ResponseBodyError)) throw error;
        if (error.error === 'authorization_pending') return 'pending';
        if (error.error === 'slow_down') return 'slow_down';
        throw error;
      }
    });
  }

  /** Many providers tell the e-mail only to who asks with the access token. */
  async #claims(
    client: oidc.Configuration,
    answer: Awaited<ReturnType<typeof oidc.authorizationCodeGrant>>,
  ): Promise<Claims> {
    const token = answer.claims();
    if (token === undefined) throw new oidc.ClientError('there is no ID token in the answer');
    const isTold = token[this.#settings.email_claim] !== undefined;
    const told =
      isTold || client.serverMetadata().userinfo_endpoint === undefined
        ? token
        : await oidc.fetchUserInfo(client, answer.access_token, token.sub);
    return {
      issuer: token.iss,
      subject: token.sub,
      email: textOf(told[this.#settings.email_claim]),
      // Some say it in a string.
      isEmailVerified: [true, 'true'].includes(told['email_verified'] as never),
      name: textOf(told['name'] ?? token['name']),
    };
  }

  async #asking<T>(ask: (client: oidc.Configuration) => Promise<T>): Promise<T> {
    try {
      return await ask(await this.#client());
    } catch (error) {
      throw providerFailure(error, this.#settings.issuer);
    }
  }

  /** A new one each time: it would keep keys that the provider has replaced. */
  async #client(): Promise<oidc.Configuration> {
    const { client_id, clientSecret } = this.#settings;
    const metadata = await this.#toldMetadata();
    const methods = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const auth =
      clientSecret === undefined
        ? oidc.None()
        : methods.includes('client_secret_basic')
          ? oidc.ClientSecretBasic(clientSecret)
          : oidc.ClientSecretPost(clientSecret);
    const client = new oidc.Configuration({ ...metadata }, client_id, {}, auth);
    client.timeout = timeoutSeconds;
    oidc.enableNonRepudiationChecks(client);
    for (const allow of this.#plain()) allow(client);
    return client;
  }

  #toldMetadata(): Promise<oidc.ServerMetadata> {
    const now = this.#clock.monotonic();
    if (this.#metadata === undefined || now - this.#metadata.readAt > metadataMs) {
      const { issuer, client_id } = this.#settings;
      const options = { timeout: timeoutSeconds, execute: this.#plain() };
      const told = oidc
        .discovery(new URL(issuer), client_id, {}, oidc.None(), options)
        .then((client) => client.serverMetadata());
      const read = { readAt: now, told };
      this.#metadata = read;
      // Forgotten when it failed: the next login asks again.
      told.catch(() => {
        if (this.#metadata === read) this.#metadata = undefined;
      });
    }
    return this.#metadata.told;
  }

  /** The configuration takes http for loopback only. */
  #plain(): ((client: oidc.Configuration) => void)[] {
    return this.#settings.issuer.startsWith('http:') ? [oidc.allowInsecureRequests] : [];
  }
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
