import type { Route } from '../../controller/api/route.ts';
import type { ApiUnderTest } from './api.ts';
import { OidcBrowser, type OidcUnderTest } from './oidc-browser.ts';

/** A request to a route of logins by an identity provider that would succeed; undefined for other routes. */
export async function oidcSample(
  { api, provider }: OidcUnderTest,
  { path }: Route,
): Promise<{ query?: string; body?: object; headers?: Record<string, string> } | undefined> {
  if (!path.startsWith('/api/auth/oidc/')) return undefined;
  const { account } = await api.member('viewer');
  provider.person = { sub: account.id, email: account.email, email_verified: true };
  const browser = new OidcBrowser(api);
  if (path.endsWith('/start')) return { query: queryOf(browser.startPath) };
  if (path.endsWith('/callback')) {
    const query = queryOf(await browser.toCallback());
    return { query, headers: { cookie: browser.cookie } };
  }
  if (path.endsWith('/oidc/token')) {
    return { body: { code: (await browser.arrive()).get('code'), verifier: browser.verifier } };
  }
  return path.endsWith('/device/token') ? { body: { device: await deviceOf(api) } } : { body: {} };
}

const queryOf = (path: string): string => path.slice(path.indexOf('?') + 1);

async function deviceOf(api: ApiUnderTest): Promise<unknown> {
  return (await api.call('POST', '/api/auth/oidc/device', { as: null })).body['device'];
}
