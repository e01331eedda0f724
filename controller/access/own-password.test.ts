import { expect, test } from 'vitest';
import { ApiUnderTest, type Member } from '../../test/harness/api.ts';
import { goodPassword, logIn, personLoggedIn } from '../../test/harness/people.ts';

const next = 'another good password';
const change = (api: ApiUnderTest, as: Member, current: string) =>
  api.call('POST', '/api/auth/password', { as, body: { current, new: next } });
const me = async (api: ApiUnderTest, as: Member, token = as.token) =>
  (await api.call('GET', '/api/auth/me', { as: { ...as, token } })).status;

test('who knows their password changes it: the session that asks stays, the others end, tokens stay', async () => {
  await using api = await ApiUnderTest.start();
  const person = await personLoggedIn(api, 'viewer');
  const other = await logIn(api, person.account.email);
  const minted = await api.call('POST', '/api/v1/auth/tokens', { as: person, body: { name: 'robot' } });

  expect(await change(api, person, goodPassword)).toMatchObject({ status: 200, body: { sessions_ended: 1 } });
  expect(await me(api, person)).toBe(200);
  expect(await me(api, person, other.access_token)).toBe(401);
  expect(await me(api, person, String(minted.body['token']))).toBe(200);
  await expect(logIn(api, person.account.email)).rejects.toThrow(/wrong/);
  await logIn(api, person.account.email, next);
  const { text } = await api.call('GET', '/api/v1/organizations/default/audit');
  expect(text).toContain('account.change_password');
  for (const secret of [goodPassword, next]) expect(text).not.toContain(secret);
});

test('a wrong password changes nothing, and may be tried as often as at a login', async () => {
  await using api = await ApiUnderTest.start();
  const person = await personLoggedIn(api, 'viewer');
  for (let attempt = 0; attempt < 10; attempt++) {
    expect((await change(api, person, 'wrong horse')).status).toBe(403);
  }
  expect((await change(api, person, goodPassword)).status).toBe(429);
  expect(await api.store.logins.passwordHash(person.account.email)).toBeDefined();
});

test('somebody without a password, and one that is too short, are refused', async () => {
  await using api = await ApiUnderTest.start();
  expect((await change(api, api.admin, '')).status).toBe(403);
  const short = { current: '', new: 'short' };
  expect((await api.call('POST', '/api/auth/password', { body: short })).status).toBe(400);
});
