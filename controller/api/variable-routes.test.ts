import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { DesiredUnderTest } from '../../test/harness/desired.ts';

let api: ApiUnderTest;
let desired: DesiredUnderTest;
beforeAll(async () => {
  api = await ApiUnderTest.start();
  desired = new DesiredUnderTest(api);
  await api.device('fw-1', { labels: { site: 'berlin' } });
});
afterAll(() => api[Symbol.asyncDispose]());

const values = async (query = '') =>
  ((await desired.ok('GET', `variables${query}`)) as { items: Record<string, unknown>[] }).items;

test.each([
  ['of the organization', {}, null],
  ['of a label group', { scope: 'label', key: 'site=berlin' }, 'site=berlin'],
  ['of a device, by its name', { scope: 'device', key: 'fw-1' }, 'fw-1'],
])('a variable %s is read as it was set', async (_, place, key) => {
  const value = { servers: ['192.0.2.1'], enabled: true, count: 3, nothing: null };
  expect(await desired.variable('dns', value, place)).toMatchObject({
    name: 'dns',
    key,
    secret: false,
    value,
  });
  const query =
    key === null ? '?scope=organization' : `?scope=${key === 'fw-1' ? 'device' : 'label'}&key=${key}`;
  expect(await values(query)).toMatchObject([{ name: 'dns', key, value }]);
});

test('a device’s variable follows it through a rename, and goes with it', async () => {
  await api.device('old-name');
  await desired.variable('own', 1, { scope: 'device', key: 'old-name' });
  await desired.ok('PUT', 'devices/old-name/rename', { new_name: 'new-name' });
  expect(await values('?scope=device&key=new-name')).toMatchObject([{ name: 'own', key: 'new-name' }]);
  await desired.ok('DELETE', 'devices/new-name');
  expect((await values('?scope=device')).map(({ name }) => name)).not.toContain('own');
});

test('a variable is deleted at one place only', async () => {
  await desired.variable('x', 1);
  await desired.variable('x', 2, { scope: 'label', key: 'site=berlin' });
  await desired.ok('DELETE', 'variables?name=x&scope=label&key=site=berlin');
  expect((await values()).filter(({ name }) => name === 'x')).toMatchObject([
    { scope: 'organization', value: 1 },
  ]);
  expect((await desired.call('DELETE', 'variables?name=x&scope=label&key=site=berlin')).status).toBe(404);
});

describe('refused:', () => {
  test.each([
    ['a name that templates use for something else', { name: 'device', value: 1 }, 400],
    ['a name that is none', { name: 'a-b', value: 1 }, 400],
    ['a label group that is none', { name: 'a', value: 1, scope: 'label', key: 'site' }, 400],
    ['a key where there can be none', { name: 'a', value: 1, key: 'site=berlin' }, 400],
    ['no key where there has to be one', { name: 'a', value: 1, scope: 'device' }, 400],
    ['a device that does not exist', { name: 'a', value: 1, scope: 'device', key: 'nobody' }, 404],
    ['a secret that is no text', { name: 'a', value: 12_345_678, secret: true }, 400],
    ['a secret that is empty', { name: 'a', value: '', secret: true }, 400],
    ['a value that is too long', { name: 'a', value: 'x'.repeat(70_000) }, 400],
  ])('%s', async (_, body, status) => {
    const answer = await desired.call('PUT', 'variables', body);
    expect(answer.status, answer.text).toBe(status);
    expect(answer.text).not.toContain('12345678');
  });
});

describe('a secret', () => {
  const canary = 'canary-4f1d77';

  test('is in no answer, no audit entry and no row', async () => {
    const put = await api.call('PUT', '/api/v1/organizations/default/variables', {
      body: { name: 'psk', value: canary, secret: true },
      headers: { 'idempotency-key': 'secret-1' },
    });
    const listed = await desired.call('GET', 'variables');
    const audit = await desired.call('GET', 'audit?action=variable.set');
    expect(put.body).toMatchObject({ name: 'psk', secret: true, value: null });
    expect(audit.text).toContain('psk');
    const row = await api.store.variables.get({
      organizationId: api.admin.organization.id,
      scope: 'organization',
      key: '',
      name: 'psk',
    });
    expect(row?.sealed).toEqual(expect.any(String));
    for (const text of [put.text, listed.text, audit.text, JSON.stringify(row)])
      expect(text).not.toContain(canary);
  });

  test('may become a plain variable again, by setting it', async () => {
    await desired.variable('was_secret', canary, { secret: true });
    expect(await desired.variable('was_secret', 'public')).toMatchObject({ secret: false, value: 'public' });
  });
});
