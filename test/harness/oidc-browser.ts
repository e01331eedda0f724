import { createHash, randomBytes } from 'node:crypto';
import type { SessionTokens } from '../../shared/api/accounts.ts';
import type { ControllerParts } from '../../controller/core.ts';
import type { OidcSettings } from '../../controller/access/oidc/oidc-config.ts';
import { type Answer, ApiUnderTest } from './api.ts';
import { OidcProviderUnderTest } from './oidc-provider.ts';

/** A controller whose people may log in at a provider. */
export interface OidcUnderTest extends AsyncDisposable {
  api: ApiUnderTest;
  provider: OidcProviderUnderTest;
}

export async function startOidc(
  settings: Partial<OidcSettings> = {},
  coreParts: Partial<ControllerParts> = {},
): Promise<OidcUnderTest> {
  await using opened = new AsyncDisposableStack();
  const provider = opened.use(await OidcProviderUnderTest.start());
  const oidc = { ...provider.settings, ...settings };
  const api = opened.use(await ApiUnderTest.start({}, undefined, { oidc, ...coreParts }));
  const closing = opened.move();
  return { api, provider, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/** A client with a browser beside it: what it made up, and the way of the browser. */
export class OidcBrowser {
  readonly #api: ApiUnderTest;
  readonly verifier = randomBytes(32).toString('base64url');
  readonly state = randomBytes(16).toString('base64url');
  cookie = '';

  constructor(api: ApiUnderTest) {
    this.#api = api;
  }

  get startPath(): string {
    const challenge = createHash('sha256').update(this.verifier).digest('base64url');
    return `/api/auth/oidc/start?challenge=${challenge}&state=${this.state}&port=7999`;
  }

  /** From the controller to the provider, and what the provider sends the browser back with. */
  async toCallback(): Promise<string> {
    const started = await this.#get(this.startPath);
    if (started.status !== 302) throw new Error(`not started: ${started.text}`);
    this.cookie = String(started.headers['set-cookie']).split(';')[0] ?? '';
    const provided = await fetch(String(started.headers['location']), { redirect: 'manual' });
    const { pathname, search } = new URL(provided.headers.get('location') ?? '');
    return pathname + search;
  }

  callback(path: string): Promise<Answer> {
    return this.#get(path);
  }

  /** The whole way: what the client hears on loopback. */
  async arrive(): Promise<URLSearchParams> {
    const answer = await this.callback(await this.toCallback());
    if (answer.status !== 302) throw new Error(`not sent back: ${answer.text}`);
    const { origin, searchParams } = new URL(String(answer.headers['location']));
    if (origin !== 'http://127.0.0.1:7999') throw new Error(`sent to ${origin}`);
    return searchParams;
  }

  redeem(code: string, verifier = this.verifier): Promise<Answer> {
    return this.#api.call('POST', '/api/auth/oidc/token', { as: null, body: { code, verifier } });
  }

  async #get(path: string): Promise<Answer> {
    return this.#api.call('GET', path, { as: null, headers: { cookie: this.cookie } });
  }
}

/** Logs in by browser; throws what the client was told. */
export async function logInByOidc(api: ApiUnderTest): Promise<SessionTokens> {
  const browser = new OidcBrowser(api);
  const told = await browser.arrive();
  const code = told.get('code');
  if (code === null) throw new Error(`${told.get('error')}: ${told.get('error_description')}`);
  const answer = await browser.redeem(code);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body as SessionTokens;
}
