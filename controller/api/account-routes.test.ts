import { expect, test } from 'vitest';
import type { AccessToken, CreatedAccessToken } from '../../shared/api/access.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';

test('a personal token is shown once, works, shows up without its secret, and ends when it is revoked', async () => {
  await using api = await ApiUnderTest.start();
  const created = await api.call('POST', '/api/v1/auth/tokens', { body: { name: 'laptop', scope: 'RO' } });
  const { token, expires_at } = created.body as CreatedAccessToken;
  expect(Date.parse(expires_at ?? '') - Date.now()).toBeGreaterThan(89 * 86_400_000);

  const laptop = { ...api.admin, token };
  expect((await api.call('GET', '/api/v1/auth/me', { as: laptop })).body).toEqual({
    email: api.admin.account.email,
    name: 'admin',
    organization: 'default',
    role: 'admin',
    token: 'laptop',
    organizations: [{ name: 'default', display_name: 'default', role: 'admin' }],
  });
  expect((await api.call('POST', '/api/v1/auth/tokens', { as: laptop, body: { name: 'x' } })).status).toBe(
    403,
  );

  const listed = await api.call('GET', '/api/v1/auth/tokens');
  expect((listed.body as { items: AccessToken[] }).items.map(({ name }) => name).sort()).toEqual([
    'first',
    'laptop',
  ]);
  expect(listed.text).not.toContain(token);
  const twice = await api.call('POST', '/api/v1/auth/tokens', { body: { name: 'laptop' } });
  expect(twice).toMatchObject({ status: 409, body: { code: 'name_taken' } });

  expect((await api.call('DELETE', '/api/v1/auth/tokens/laptop')).status).toBe(204);
  expect((await api.call('DELETE', '/api/v1/auth/tokens/laptop')).status).toBe(404);
  expect((await api.call('GET', '/api/v1/auth/me', { as: laptop })).status).toBe(401);
});

test('a token is somebody’s own: nobody else lists or revokes it', async () => {
  await using api = await ApiUnderTest.start();
  const viewer = await api.member('viewer');
  await api.call('POST', '/api/v1/auth/tokens', { body: { name: 'mine' } });
  expect((await api.call('DELETE', '/api/v1/auth/tokens/mine', { as: viewer })).status).toBe(404);
  expect((await api.call('GET', '/api/v1/auth/tokens', { as: viewer })).text).not.toContain('mine');
});

test('a token of no end never expires, and an organization shows the caller’s role', async () => {
  await using api = await ApiUnderTest.start();
  const created = await api.call('POST', '/api/v1/auth/tokens', {
    body: { name: 'robot', expires_in_seconds: null },
  });
  expect(created.body).toMatchObject({ expires_at: null, is_expired: false, is_revoked: false, scope: 'RW' });
  const viewer = await api.member('viewer');
  await api.device('edge-1');
  const shown = { name: 'default', role: 'viewer', device_count: 1, status: 'ENABLED' };
  expect((await api.call('GET', '/api/v1/organizations/default', { as: viewer })).body).toMatchObject(shown);
  expect((await api.call('GET', '/api/v1/organizations', { as: viewer })).body).toMatchObject({
    items: [shown],
    total: 1,
  });
});
