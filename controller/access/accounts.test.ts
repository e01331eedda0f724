import { expect, test } from 'vitest';
import { ApiUnderTest, type Answer } from '../../test/harness/api.ts';
import { goodPassword, logIn, personLoggedIn } from '../../test/harness/people.ts';

const root = '/api/v1/organizations/default/accounts';
const add = (api: ApiUnderTest, body: object): Promise<Answer> => api.call('POST', root, { body });

test('somebody who is added logs in with the password that was made, and is listed without it', async () => {
  await using api = await ApiUnderTest.start();
  const added = await add(api, { email: 'Ann@Example.org', role: 'operator' });
  expect(added.body).toMatchObject({ email: 'ann@example.org', role: 'operator', status: 'ENABLED' });
  const password = String(added.body['password']);
  expect((await logIn(api, 'ann@example.org', password)).role).toBe('operator');

  const listed = await api.call('GET', root);
  expect(listed.body).toMatchObject({ total: 2 });
  expect(listed.text).not.toContain(password);
  expect((await api.call('GET', `${root}/ann@example.org`)).body['last_login']).not.toBeNull();
  expect((await add(api, { email: 'ANN@example.org' })).status).toBe(409);
  expect((await add(api, { email: 'bob@example.org', password: 'short' })).status).toBe(400);
  expect((await api.call('GET', '/api/v1/organizations/default/audit')).text).not.toContain(password);
});

test('the last admin is not removed, disabled or demoted; the last but one is', async () => {
  await using api = await ApiUnderTest.start();
  const one = `${root}/${api.admin.account.email}`;
  await add(api, { email: 'ann@example.org', role: 'admin' });
  expect((await api.call('POST', `${root}/ann@example.org/disable`)).status).toBe(200);
  const refused = [
    await api.call('DELETE', one),
    await api.call('POST', `${one}/disable`),
    await api.call('PUT', `${one}/role`, { body: { role: 'viewer' } }),
  ];
  expect(refused.map(({ status, body }) => [status, body['code']])).toEqual(
    Array.from({ length: 3 }, () => [409, 'conflict']),
  );
  expect((await api.call('POST', `${root}/ann@example.org/enable`)).status).toBe(200);
  expect((await api.call('PUT', `${one}/role`, { body: { role: 'viewer' } })).body['role']).toBe('viewer');
  expect((await api.call('GET', root)).status).toBe(403);
});

test('sessions and tokens of a disabled account end at once, and do not come back when it is enabled', async () => {
  await using api = await ApiUnderTest.start();
  const person = await personLoggedIn(api, 'operator');
  const minted = await api.call('POST', '/api/v1/auth/tokens', { as: person, body: { name: 'robot' } });
  const robot = { ...person, token: String(minted.body['token']) };
  const seen = async () => [
    (await api.call('GET', '/api/auth/me', { as: person })).status,
    (await api.call('GET', '/api/auth/me', { as: robot })).status,
  ];
  expect(await seen()).toEqual([200, 200]);
  const one = `${root}/${person.account.email}`;
  await api.call('POST', `${one}/disable`);
  expect(await seen()).toEqual([401, 401]);
  const login = { email: person.account.email, password: goodPassword };
  expect((await api.call('POST', '/api/auth/login', { as: null, body: login })).status).toBe(403);
  await api.call('POST', `${one}/enable`);
  expect(await seen()).toEqual([401, 401]);
  expect((await logIn(api, person.account.email)).role).toBe('operator');
});

test('another password ends the sessions of the old one; a removed account leaves nothing to log in with', async () => {
  await using api = await ApiUnderTest.start();
  const person = await personLoggedIn(api, 'viewer');
  const one = `${root}/${person.account.email}`;
  const reset = await api.call('PUT', `${one}/password`, { body: { password: 'another good password' } });
  expect(reset.status).toBe(200);
  expect(reset.text).not.toContain('another good password');
  expect((await api.call('GET', '/api/auth/me', { as: person })).status).toBe(401);
  await expect(logIn(api, person.account.email)).rejects.toThrow(/401|wrong/);
  await logIn(api, person.account.email, 'another good password');

  expect((await api.call('DELETE', one)).status).toBe(204);
  await expect(logIn(api, person.account.email, 'another good password')).rejects.toThrow(/wrong/);
  const { text } = await api.call('GET', '/api/v1/organizations/default/audit');
  for (const action of ['account.reset_password', 'account.remove']) expect(text).toContain(action);
});

test('who is in another organization already keeps their password: no admin elsewhere takes it over', async () => {
  await using api = await ApiUnderTest.start();
  const person = await personLoggedIn(api, 'operator');
  const branch = await api.organization('branch');
  const boss = await api.member('admin', 'RW', branch);
  const there = '/api/v1/organizations/branch/accounts';
  const { email } = person.account;

  const taken = { email, password: 'a password of the branch' };
  expect((await api.call('POST', there, { as: boss, body: taken })).status).toBe(409);
  const added = await api.call('POST', there, { as: boss, body: { email, role: 'viewer' } });
  expect(added.status).toBe(200);
  expect(added.body).not.toHaveProperty('password');
  expect((await api.call('PUT', `${there}/${email}/password`, { as: boss, body: {} })).status).toBe(409);
  expect((await api.call('GET', '/api/v1/organizations/branch', { as: person })).status).toBe(200);
  expect((await logIn(api, email)).organization).toBe('default');
});
