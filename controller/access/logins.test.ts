import { expect, test } from 'vitest';
import type { SessionTokens } from '../../shared/api/accounts.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { givePassword, goodPassword, logIn, personLoggedIn } from '../../test/harness/people.ts';

const bearer = (session: SessionTokens) => ({ authorization: `Bearer ${session.access_token}` });
const me = (api: ApiUnderTest, session: SessionTokens) =>
  api.call('GET', '/api/auth/me', { as: null, headers: bearer(session) });
const refresh = (api: ApiUnderTest, refresh_token: string) =>
  api.call('POST', '/api/auth/refresh', { as: null, body: { refresh_token } });

test('a session begins with e-mail and password, acts as its account, and ends with logout', async () => {
  await using api = await ApiUnderTest.start();
  const member = await api.member('operator');
  await givePassword(api, member);
  const session = await logIn(api, member.account.email.toUpperCase());
  expect(session).toMatchObject({ token_type: 'Bearer', expires_in: 900, role: 'operator' });
  expect((await me(api, session)).body).toMatchObject({ email: member.account.email, token: 'session' });

  const body = { refresh_token: session.refresh_token };
  expect((await api.call('POST', '/api/auth/logout', { as: null, body })).status).toBe(204);
  expect((await me(api, session)).status).toBe(401);
  expect((await refresh(api, session.refresh_token)).status).toBe(401);
  const { text } = await api.call('GET', '/api/v1/organizations/default/audit');
  expect(text).toContain('session.login');
  expect(text).toContain('session.logout');
  for (const secret of [goodPassword, session.access_token, session.refresh_token])
    expect(text).not.toContain(secret);
});

test('a refresh token is good once; used again it ends the session for everybody who has a copy', async () => {
  await using api = await ApiUnderTest.start();
  const { session } = await personLoggedIn(api, 'viewer');
  const next = (await refresh(api, session.refresh_token)).body as SessionTokens;
  expect((await me(api, next)).status).toBe(200);

  expect((await refresh(api, session.refresh_token)).status).toBe(401);
  expect((await refresh(api, next.refresh_token)).status).toBe(401);
  expect((await me(api, next)).status).toBe(401);
  expect((await api.call('GET', '/api/v1/organizations/default/audit')).text).toContain('session.reuse');
});

test('of two who refresh at once with the same token one at most gets on, and the session is over', async () => {
  await using api = await ApiUnderTest.start();
  const { session } = await personLoggedIn(api, 'viewer');
  const both = await Promise.all([1, 2].map(() => refresh(api, session.refresh_token)));
  expect(both.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
  expect((await me(api, session)).status).toBe(401);
});

test('an unknown e-mail, an account without a password and a wrong password get the same answer', async () => {
  await using api = await ApiUnderTest.start();
  const { account } = await personLoggedIn(api, 'viewer');
  const bare = await api.member('viewer');
  const answers = [];
  for (const email of [account.email, bare.account.email, 'nobody@example.org']) {
    const body = { email, password: 'wrong horse battery' };
    const answer = await api.call('POST', '/api/auth/login', { as: null, body });
    answers.push({ status: answer.status, error: answer.body['error'], code: answer.body['code'] });
  }
  const same = { status: 401, error: 'E-mail or password is wrong', code: 'not_authenticated' };
  expect(answers).toEqual([same, same, same]);
});

test('after ten wrong passwords an e-mail must wait, with or without an account, and others need not', async () => {
  await using api = await ApiUnderTest.start();
  const { account } = await personLoggedIn(api, 'viewer');
  const wrong = (email: string) =>
    api.call('POST', '/api/auth/login', { as: null, body: { email, password: 'no' } });
  for (const email of [account.email, 'nobody@example.org']) {
    for (let attempt = 0; attempt < 10; attempt++) expect((await wrong(email)).status).toBe(401);
    const late = await wrong(email);
    expect(late).toMatchObject({ status: 429, body: { code: 'too_many_requests' } });
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(0);
  }
  expect((await personLoggedIn(api, 'viewer')).session.role).toBe('viewer');
});

test('a session is used in every organization its owner is in, and in no other', async () => {
  await using api = await ApiUnderTest.start();
  const { session, account } = await personLoggedIn(api, 'admin');
  const branch = await api.organization('branch');
  await api.organization('closed');
  const values = { ...account, id: 'in-branch', organizationId: branch.id, role: 'viewer' as const };
  await api.store.access.insertAccount(values);
  const headers = bearer(session);

  const there = await api.call('GET', '/api/v1/organizations/branch', { as: null, headers });
  expect(there).toMatchObject({ status: 200, body: { name: 'branch', role: 'viewer' } });
  const audit = await api.call('GET', '/api/v1/organizations/branch/audit', { as: null, headers });
  expect(audit.status).toBe(403);
  expect((await api.call('GET', '/api/v1/organizations/closed', { as: null, headers })).status).toBe(404);
});

test('a token that is not ours is refused: another key, a device, no signature', async () => {
  await using api = await ApiUnderTest.start();
  const { session } = await personLoggedIn(api, 'viewer');
  const [head = '', claims = '', signature = ''] = session.access_token.split('.');
  const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
  const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  await using other = await ApiUnderTest.start();
  const foreign = await personLoggedIn(other, 'viewer');
  for (const token of [`${none}.${claims}.x`, `${head}.${claims}.${flipped}`, foreign.session.access_token]) {
    const answer = await api.call('GET', '/api/auth/me', {
      as: null,
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'not_authenticated' } });
  }
});
