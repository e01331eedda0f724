import { expect, test } from 'vitest';
import { ApiUnderTest, type Member } from '../../test/harness/api.ts';
import { personLoggedIn } from '../../test/harness/people.ts';

const root = '/api/v1/organizations';
const make = (api: ApiUnderTest, as: Member, name: string, headers = {}) =>
  api.call('POST', root, { as, body: { name }, headers });
const names = async (api: ApiUnderTest, as: Member) =>
  ((await api.call('GET', root, { as })).body['items'] as { name: string }[]).map(({ name }) => name);

test('an admin of default makes an organization, is its first admin, and acts in both by one session', async () => {
  await using api = await ApiUnderTest.start();
  const boss = await personLoggedIn(api, 'admin');
  const made = await make(api, boss, 'branch');
  expect(made).toMatchObject({ status: 201, body: { name: 'branch', role: 'admin', device_count: 0 } });
  expect(await names(api, boss)).toEqual(['branch', 'default']);
  const me = await api.call('GET', '/api/auth/me', { as: boss });
  expect(me.body['organizations']).toMatchObject([
    { name: 'branch', role: 'admin' },
    { name: 'default', role: 'admin' },
  ]);
  const added = { email: 'ann@example.org', role: 'viewer' };
  expect((await api.call('POST', `${root}/branch/accounts`, { as: boss, body: added })).status).toBe(200);
  expect((await make(api, boss, 'branch')).body['code']).toBe('name_taken');
  for (const organization of ['default', 'branch']) {
    const { text } = await api.call('GET', `${root}/${organization}/audit`, { as: boss });
    expect(text).toContain('organization.create');
  }
});

test('who is no admin of default makes none, whatever they are elsewhere and however they ask', async () => {
  await using api = await ApiUnderTest.start();
  const elsewhere = await api.organization('elsewhere');
  const boss = await api.member('admin', 'RW', elsewhere);
  expect((await make(api, boss, 'mine')).status).toBe(403);
  expect((await make(api, boss, 'mine', { 'muster-organization': 'default' })).status).toBe(403);
  expect((await make(api, await api.member('operator'), 'mine')).status).toBe(403);

  const { account, ...person } = await personLoggedIn(api, 'viewer');
  await api.store.access.insertAccount({
    ...account,
    id: 'there',
    organizationId: elsewhere.id,
    role: 'admin',
  });
  const header = { 'muster-organization': 'elsewhere' };
  expect((await make(api, { ...person, account }, 'mine', header)).status).toBe(403);
  expect((await make(api, { ...person, account }, 'mine')).status).toBe(403);
});

test('an organization is nobody’s business but its members’: not even the admins of default see it', async () => {
  await using api = await ApiUnderTest.start();
  const boss = await personLoggedIn(api, 'admin');
  const other = await personLoggedIn(api, 'admin');
  await make(api, boss, 'branch');
  for (const path of ['', '/accounts', '/audit', '/devices']) {
    expect((await api.call('GET', `${root}/branch${path}`, { as: other })).status).toBe(404);
  }
  expect((await api.call('DELETE', `${root}/branch`, { as: other })).status).toBe(404);
  expect(await names(api, other)).toEqual(['default']);
});

test('a session acts where its header says, on routes that name no organization; a token only where it was made', async () => {
  await using api = await ApiUnderTest.start();
  const boss = await personLoggedIn(api, 'admin');
  await make(api, boss, 'branch');
  const headers = { 'muster-organization': 'branch' };
  const minted = await api.call('POST', '/api/v1/auth/tokens', {
    as: boss,
    headers,
    body: { name: 'robot' },
  });
  expect(minted.body['organization']).toBe('branch');
  const robot = { ...boss, token: String(minted.body['token']) };
  expect((await api.call('GET', `${root}/branch`, { as: robot })).status).toBe(200);
  expect((await api.call('GET', `${root}/default`, { as: robot })).status).toBe(404);
  expect(await names(api, robot)).toEqual(['branch']);
  const path = await api.call('GET', `${root}/default`, { as: boss, headers });
  expect(path.body['name']).toBe('default');
  const foreign = { 'muster-organization': 'nowhere' };
  expect((await api.call('GET', '/api/v1/auth/tokens', { as: boss, headers: foreign })).status).toBe(404);
});

test('its admins rename it, and the new name is the only one', async () => {
  await using api = await ApiUnderTest.start();
  const boss = await personLoggedIn(api, 'admin');
  await make(api, boss, 'branch');
  const change = (name: string, body: object) => api.call('PATCH', `${root}/${name}`, { as: boss, body });
  expect((await change('branch', { name: 'default' })).body['code']).toBe('name_taken');
  expect((await change('default', { name: 'other' })).body['code']).toBe('conflict');
  expect((await change('branch', { name: 'west', display_name: 'The West' })).body).toMatchObject({
    name: 'west',
    display_name: 'The West',
  });
  expect((await api.call('GET', `${root}/branch`, { as: boss })).status).toBe(404);
  expect((await change('default', { display_name: 'Head office' })).body['display_name']).toBe('Head office');
});

test('one without devices is deleted: whoever was only there is gone, its tokens end, its name is free', async () => {
  await using api = await ApiUnderTest.start();
  const boss = await personLoggedIn(api, 'admin');
  await make(api, boss, 'branch');
  const headers = { 'muster-organization': 'branch' };
  const minted = await api.call('POST', '/api/v1/auth/tokens', {
    as: boss,
    headers,
    body: { name: 'robot' },
  });
  const robot = { ...boss, token: String(minted.body['token']) };
  const schedule = { name: 'nightly', cron: '0 2 * * *' };
  await api.call('POST', `${root}/branch/schedules`, { as: robot, body: schedule });
  await api.call('POST', `${root}/branch/accounts`, { as: boss, body: { email: 'ann@example.org' } });
  expect(await api.store.logins.passwordHash('ann@example.org')).toBeDefined();

  expect((await api.call('DELETE', `${root}/default`, { as: boss })).body['code']).toBe('conflict');
  expect((await api.call('DELETE', `${root}/branch`, { as: boss })).status).toBe(204);
  expect((await api.call('GET', `${root}/branch`, { as: boss })).status).toBe(404);
  expect((await api.call('GET', '/api/v1/auth/me', { as: robot })).status).toBe(401);
  expect(await api.store.logins.passwordHash('ann@example.org')).toBeUndefined();
  expect(await names(api, boss)).toEqual(['default']);
  expect((await api.call('GET', `${root}/default/audit`, { as: boss })).text).toContain(
    'organization.delete',
  );
  expect((await make(api, boss, 'branch')).status).toBe(201);
  const listed = await api.call('GET', `${root}/branch/schedules`, { as: boss });
  expect(listed.body['total']).toBe(0);
});

test('one with devices is not deleted', async () => {
  await using api = await ApiUnderTest.start();
  const boss = await personLoggedIn(api, 'admin');
  const made = await make(api, boss, 'branch');
  const values = { id: 'd', name: 'fw', status: 'PENDING' as const, publicKey: 'k', labels: {} };
  const organizationId = String(made.body['id']);
  await api.store.devices.insert({ ...values, organizationId, agentVersion: '1', createdAt: 0 });
  const refused = await api.call('DELETE', `${root}/branch`, { as: boss });
  expect(refused.body).toMatchObject({ code: 'conflict', error: expect.stringContaining('1 devices') });
});
