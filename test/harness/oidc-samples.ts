import type { Route } from '../../controller/api/route.ts';
import type { ApiUnderTest } from './api.ts';
import { OidcBrowser, type OidcUnderTest } from './oidc-browser.ts';
import type { OidcProviderUnderTest } from './oidc-provider.ts';

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
  return path.endsWith('/device/token')
    ? { body: { device: await approvedDevice(api, provider) } }
    : { body: {} };
}

const queryOf = (path: string): string => path.slice(path.indexOf('?') + 1);

async function approvedDevice(api: ApiUnderTest, provider: OidcProviderUnderTest): Promise<unknown> {
  const { body } = await api.call('POST', '/api/auth/oidc/device', { as: null });
  provider.approved.add(String(body['user_code']));
  return body['device'];
}
