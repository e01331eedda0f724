import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

/** Somebody who is logged in at the provider, in whatever browser comes. */
export interface Person {
  sub: string;
  email?: string;
  email_verified?: boolean | string;
  name?: string;
}

interface Grant {
  nonce: string | undefined;
  challenge: string | undefined;
  redirectUri: string | undefined;
  person: Person;
}

/** As much of an OpenID provider as a client needs, over real HTTP: discovery, keys, codes with PKCE, the device flow, userinfo. */
export class OidcProviderUnderTest implements AsyncDisposable {
  readonly clientId = 'muster';
  readonly clientSecret = 'secret of the client: äß+/ %';
  person: Person = { sub: 'sub-1', email: 'ann@example.org', email_verified: true, name: 'Ann' };
  /** Changes what the next ID tokens say. */
  tamper: (claims: JWTPayload) => JWTPayload = (claims) => claims;
  signs: 'well' | 'not at all' | 'with a key that it does not publish' = 'well';
  /** Claims only for who asks with the access token. */
  tellsInUserInfo = false;
  /** Answers this to everything. */
  failsWith: number | undefined;
  /** Of devices that somebody has approved. */
  readonly approved = new Set<string>();
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #codes = new Map<string, Grant>();
  readonly #devices = new Map<string, string>();
  readonly #tokens = new Map<string, Person>();
  #keys: { kid: string; keys: Keys };

  private constructor(keys: Keys) {
    this.#keys = { kid: 'key-1', keys };
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) =>
        answer(response, 500, { error: String(error) }),
      );
    });
  }

  static async start(): Promise<OidcProviderUnderTest> {
    const provider = new OidcProviderUnderTest(await generateKeyPair('RS256'));
    provider.#server.listen(0, '127.0.0.1');
    await once(provider.#server, 'listening');
    return provider;
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What the controller is configured with. */
  get settings() {
    return {
      issuer: this.issuer,
      client_id: this.clientId,
      clientSecret: this.clientSecret,
      scopes: 'openid email',
      email_claim: 'email',
      create_accounts: 'none' as const,
      organization: 'default',
    };
  }

  /** The keys it signs with from now on are the only ones it publishes. */
  async rotateKeys(): Promise<void> {
    this.#keys = { kid: `key-${randomBytes(4).toString('hex')}`, keys: await generateKeyPair('RS256') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.issuer);
    this.requests.push(`${request.method} ${url.pathname}`);
    if (this.failsWith !== undefined) return answer(response, this.failsWith, { error: 'server_error' });
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return answer(response, 200, this.#metadata());
      case '/keys':
        return answer(response, 200, { keys: [await this.#publicKey()] });
      case '/authorize':
        return this.#authorize(url, response);
      case '/userinfo':
        return this.#userInfo(request, response);
    }
    const form = new URLSearchParams(await text(request));
    const known = `Basic ${Buffer.from([this.clientId, this.clientSecret].map(formEncoded).join(':')).toString('base64')}`;
    if (request.headers.authorization !== known) return answer(response, 401, { error: 'invalid_client' });
    if (url.pathname === '/device') return this.#device(response);
    if (url.pathname === '/token') return this.#token(form, response);
    return answer(response, 404, {});
  }

  #metadata() {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/keys`,
      userinfo_endpoint: `${this.issuer}/userinfo`,
      device_authorization_endpoint: `${this.issuer}/device`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      code_challenge_methods_supported: ['S256'],
    };
  }

  async #publicKey() {
    return { ...(await exportJWK(this.#keys.keys.publicKey)), kid: this.#keys.kid, use: 'sig', alg: 'RS256' };
  }

  #authorize({ searchParams: asked }: URL, response: ServerResponse): void {
    const redirectUri = asked.get('redirect_uri') ?? '';
    const method = asked.get('code_challenge_method');
    if (asked.get('client_id') !== this.clientId || method !== 'S256' || !asked.get('state')) {
      return answer(response, 400, { error: 'invalid_request' });
    }
    const code = randomBytes(16).toString('hex');
    this.#codes.set(code, {
      nonce: asked.get('nonce') ?? undefined,
      challenge: asked.get('code_challenge') ?? undefined,
      redirectUri,
      person: this.person,
    });
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', asked.get('state') ?? '');
    response.writeHead(302, { location: back.href }).end();
  }

  #device(response: ServerResponse): void {
    const code = randomBytes(16).toString('hex');
    const userCode = randomBytes(4).toString('hex').toUpperCase();
    this.#devices.set(code, userCode);
    answer(response, 200, {
      device_code: code,
      user_code: userCode,
      verification_uri: `${this.issuer}/activate`,
      verification_uri_complete: `${this.issuer}/activate?user_code=${userCode}`,
      expires_in: 600,
      interval: 1,
    });
  }

  async #token(form: URLSearchParams, response: ServerResponse): Promise<void> {
    const grant = form.get('grant_type') === 'authorization_code' ? this.#byCode(form) : this.#byDevice(form);
    if (typeof grant === 'string') return answer(response, 400, { error: grant });
    const accessToken = randomBytes(16).toString('hex');
    this.#tokens.set(accessToken, grant.person);
    const idToken = await this.#idToken(grant);
    answer(response, 200, {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: 60,
      id_token: idToken,
    });
  }

  #byCode(form: URLSearchParams): Grant | string {
    const code = form.get('code') ?? '';
    const grant = this.#codes.get(code);
    this.#codes.delete(code);
    const shown = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isGood = grant?.challenge === shown && grant.redirectUri === form.get('redirect_uri');
    return isGood ? grant : 'invalid_grant';
  }

  #byDevice(form: URLSearchParams): Grant | string {
    const code = form.get('device_code') ?? '';
    const userCode = this.#devices.get(code);
    if (userCode === undefined) return 'expired_token';
    if (!this.approved.has(userCode)) return 'authorization_pending';
    this.#devices.delete(code);
    return { nonce: undefined, challenge: undefined, redirectUri: undefined, person: this.person };
  }

  async #idToken({ nonce, person }: Grant): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const { sub, ...others } = person;
    const claims = this.tamper({
      iss: this.issuer,
      aud: this.clientId,
      iat: now,
      exp: now + 300,
      sub,
      ...(nonce !== undefined && { nonce }),
      ...(this.tellsInUserInfo ? {} : others),
    });
    if (this.signs === 'not at all') return new UnsecuredJWT(claims).encode();
    const keys = this.signs === 'well' ? this.#keys.keys : await generateKeyPair('RS256');
    const header = { alg: 'RS256', kid: this.#keys.kid };
    return new SignJWT(claims).setProtectedHeader(header).sign(keys.privateKey);
  }

  #userInfo({ headers }: IncomingMessage, response: ServerResponse): void {
    const person = this.#tokens.get(headers.authorization?.replace('Bearer ', '') ?? '');
    if (person === undefined) return answer(response, 401, {});
    answer(response, 200, person);
  }
}

const formEncoded = (value: string): string =>
  new URLSearchParams({ value }).toString().slice('value='.length);

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
