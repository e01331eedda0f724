import { expect, test } from 'vitest';
import { logInByOidc, startOidc } from '../../../test/harness/oidc-browser.ts';
import { OidcConfig } from './oidc-config.ts';

test('somebody who was here before is known by subject, whatever their e-mail is by now', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  const { account } = await api.member('viewer');
  const boss = await api.member('admin');
  provider.person = { sub: 'ann', email: account.email.toUpperCase(), email_verified: true };
  await logInByOidc(api);
  provider.person = { sub: 'ann', email: boss.account.email, email_verified: true };
  expect((await logInByOidc(api)).email).toBe(account.email);
});

test('another identity with an e-mail that is linked is refused, until the account lets go of the first', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  const { account } = await api.member('viewer');
  provider.person = { sub: 'ann', email: account.email, email_verified: true };
  await logInByOidc(api);
  provider.person = { sub: 'who got her address', email: account.email, email_verified: true };
  await expect(logInByOidc(api)).rejects.toThrow(/^forbidden: .*another identity/);
  const one = `/api/v1/organizations/default/accounts/${account.email}/identities`;
  expect((await api.call('DELETE', one)).status).toBe(204);
  expect((await logInByOidc(api)).email).toBe(account.email);
});

test.each([
  [{ sub: 'x' }, /tells no e-mail/],
  [{ sub: 'x', email_verified: true }, /tells no e-mail/],
  [{ sub: 'x', email: 'ann@example.org' }, /has not verified/],
  [{ sub: 'x', email: 'ann@example.org', email_verified: false }, /has not verified/],
  [{ sub: 'x', email: 'ann', email_verified: true }, /no e-mail address/],
  [{ sub: 'x', email: 'nobody@example.org', email_verified: true }, /no account nobody@example.org/],
])('%j is not enough to be somebody', async (person, why) => {
  await using given = await startOidc();
  given.provider.person = person;
  await expect(logInByOidc(given.api)).rejects.toThrow(why);
});

test('an e-mail that only the userinfo tells, or says is verified in a string, counts', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  const { account } = await api.member('viewer');
  provider.person = { sub: 'ann', email: account.email, email_verified: 'true' };
  provider.tellsInUserInfo = true;
  expect((await logInByOidc(api)).email).toBe(account.email);
});

test('somebody unknown of an allowed domain gets an account of the configured role, and of another none', async () => {
  await using given = await startOidc({ create_accounts: 'operator', allowed_domains: ['example.org'] });
  const { api, provider } = given;
  provider.person = { sub: 'new', email: 'New@Example.org', email_verified: true, name: 'New One' };
  expect(await logInByOidc(api)).toMatchObject({ email: 'new@example.org', role: 'operator' });
  const listed = await api.call('GET', '/api/v1/organizations/default/accounts/new@example.org');
  expect(listed.body).toMatchObject({ name: 'New One', role: 'operator' });
  for (const domain of ['evil.example', 'sub.example.org', 'notexample.org']) {
    provider.person = { sub: domain, email: `new@${domain}`, email_verified: true };
    await expect(logInByOidc(api)).rejects.toThrow(`E-mails of ${domain} may not`);
  }
});

test('a removed account takes its identity along: who comes again is somebody new', async () => {
  await using given = await startOidc();
  const { api, provider } = given;
  const { account } = await api.member('viewer');
  provider.person = { sub: 'ann', email: account.email, email_verified: true };
  await logInByOidc(api);
  await api.call('DELETE', `/api/v1/organizations/default/accounts/${account.email}`);
  await expect(logInByOidc(api)).rejects.toThrow(/There is no account/);
});

test.each([
  [{ issuer: 'http://id.example' }, /https/],
  [{ create_accounts: 'viewer' }, /allowed_domains/],
  [{ create_accounts: 'admin' }, /create_accounts|option/i],
  [{ scopes: 'email' }, /openid/],
])('a configuration with %j is refused', (values, why) => {
  const config = { issuer: 'https://id.example', client_id: 'muster', ...values };
  expect(OidcConfig.safeParse(config).error?.message).toMatch(why);
});
