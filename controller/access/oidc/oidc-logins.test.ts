import { expect, test } from 'vitest';
import { ApiUnderTest, type Member } from '../../../test/harness/api.ts';
import { logInByOidc, OidcBrowser, startOidc } from '../../../test/harness/oidc-browser.ts';
import type { OidcProviderUnderTest } from '../../../test/harness/oidc-provider.ts';

const me = (api: ApiUnderTest, token: string) =>
  api.call('GET', '/api/auth/me', { as: null, headers: { authorization: `Bearer ${token}` } });
const audit = async (api: ApiUnderTest) =>
  (await api.call('GET', '/api/v1/organizations/default/audit')).text;

/** Somebody with an account, who is logged in at the provider under the same e-mail. */
async function ann(api: ApiUnderTest, provider: OidcProviderUnderTest): Promise<Member> {
  const member = await api.member('operator');
  provider.person = { sub: 'sub-1', email: member.account.email, email_verified: true };
  return member;
}

test('who logs in at the provider gets a session like everybody’s, which is written down and ends', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  const { account } = await ann(api, provider);
  const session = await logInByOidc(api);
  expect(session).toMatchObject({ email: account.email, organization: 'default', role: 'operator' });
  expect((await me(api, session.access_token)).body).toMatchObject({
    email: account.email,
    token: 'session',
  });

  const { refresh_token } = session;
  expect((await api.call('POST', '/api/auth/refresh', { as: null, body: { refresh_token } })).status).toBe(
    200,
  );
  await api.call('POST', `/api/v1/organizations/default/accounts/${account.email}/disable`);
  expect((await me(api, session.access_token)).status).toBe(401);
  expect(await audit(api)).toMatch(
    /account\.link_identity[^]*"by":"oidc"|"by":"oidc"[^]*account\.link_identity/,
  );
  await expect(logInByOidc(api)).rejects.toThrow(/disabled/);
});

test('the browser carries nothing that a client without its verifier could use, and nothing twice', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  await ann(api, provider);
  const browser = new OidcBrowser(api);
  const told = await browser.arrive();
  expect(told.get('state')).toBe(browser.state);
  const code = told.get('code') ?? '';
  expect((await browser.redeem(code, 'v'.repeat(43))).status).toBe(401);
  expect((await browser.redeem(code)).status).toBe(401);

  const again = new OidcBrowser(api);
  const good = (await again.arrive()).get('code') ?? '';
  expect((await again.redeem(good)).status).toBe(200);
  expect((await again.redeem(good)).status).toBe(401);
});

test('a login ends in the browser in which it began, and only with its own state', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  await ann(api, provider);
  const victim = new OidcBrowser(api);
  const path = await new OidcBrowser(api).toCallback();
  expect((await victim.callback(path)).status).toBe(401);

  await victim.toCallback();
  const answer = await victim.callback(path);
  const told = new URL(String(answer.headers['location'])).searchParams;
  expect(told.get('error')).toBe('not_authenticated');
  expect(told.get('code')).toBeNull();
});

test('a code of the provider is good once', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  await ann(api, provider);
  const browser = new OidcBrowser(api);
  const path = await browser.toCallback();
  await browser.callback(path);
  const second = await browser.callback(path);
  expect(String(second.headers['location'])).toContain('error=not_authenticated');
});

const now = () => Math.floor(Date.now() / 1000);
test.each<[string, (provider: OidcProviderUnderTest) => void]>([
  ['for somebody else', (p) => (p.tamper = (claims) => ({ ...claims, aud: 'another client' }))],
  ['of another issuer', (p) => (p.tamper = (claims) => ({ ...claims, iss: 'https://elsewhere.example' }))],
  ['that expired', (p) => (p.tamper = (claims) => ({ ...claims, exp: now() - 120, iat: now() - 240 }))],
  ['of another login', (p) => (p.tamper = (claims) => ({ ...claims, nonce: 'another' }))],
  ['without nonce', (p) => (p.tamper = ({ nonce: _, ...claims }) => claims)],
  ['without subject', (p) => (p.tamper = ({ sub: _, ...claims }) => claims)],
  ['that nobody signed', (p) => (p.signs = 'not at all')],
  ['that somebody else signed', (p) => (p.signs = 'with a key that it does not publish')],
])('an ID token %s lets nobody in', async (_what, tamper) => {
  await using given = await startOidc();
  const { api, provider } = given;
  const { account } = await ann(api, provider);
  tamper(provider);
  await expect(logInByOidc(api)).rejects.toThrow(/^not_authenticated: .* is not accepted: /);
  expect(await api.store.identities.ofEmail(account.email)).toEqual([]);
});

test('keys that the provider replaced count at once, and the old ones no more', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  await ann(api, provider);
  await logInByOidc(api);
  await provider.rotateKeys();
  await logInByOidc(api);
});

test('a provider that is away says so, to clients too, and is asked again', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  await ann(api, provider);
  provider.failsWith = 503;
  const started = await api.call('GET', new OidcBrowser(api).startPath, { as: null });
  expect(started).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  provider.failsWith = undefined;

  const browser = new OidcBrowser(api);
  const path = await browser.toCallback();
  provider.failsWith = 500;
  expect(String((await browser.callback(path)).headers['location'])).toContain('error=unavailable');
  provider.failsWith = undefined;
  await logInByOidc(api);
});

test('by another device: pending until somebody approves, then a session, once', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  const { account } = await ann(api, provider);
  const begun = await api.call('POST', '/api/auth/oidc/device', { as: null });
  const { device, user_code } = begun.body as { device: string; user_code: string };
  const ask = () => api.call('POST', '/api/auth/oidc/device/token', { as: null, body: { device } });
  expect(await ask()).toMatchObject({ status: 202, body: { status: 'pending' } });
  provider.approved.add(user_code);
  expect(await ask()).toMatchObject({ status: 200, body: { email: account.email } });
  expect((await ask()).status).toBe(401);
  const forged = { device: `${device.slice(0, -2)}AA` };
  const refused = await api.call('POST', '/api/auth/oidc/device/token', { as: null, body: forged });
  expect(refused.status).toBe(401);
});

test('a token for another client lets nobody in by a device either', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  await ann(api, provider);
  provider.tamper = (claims) => ({ ...claims, aud: 'another client' });
  const begun = await api.call('POST', '/api/auth/oidc/device', { as: null });
  const { device, user_code } = begun.body as { device: string; user_code: string };
  provider.approved.add(user_code);
  const asked = await api.call('POST', '/api/auth/oidc/device/token', { as: null, body: { device } });
  expect(asked.status).toBe(401);
});

test('without a provider in the configuration there is nothing of it', async () => {
  await using api = await ApiUnderTest.start();
  const answer = await api.call('GET', new OidcBrowser(api).startPath, { as: null });
  expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('a login without a client that waits for it is refused before anybody is sent away', async () => {
  await using given = await startOidc();
  const path = new OidcBrowser(given.api).startPath.replace(/&port=\d+/, '');
  expect(await given.api.call('GET', path, { as: null })).toMatchObject({
    status: 400,
    body: { error: expect.stringMatching(/port.*muster auth login --oidc/) },
  });
});
