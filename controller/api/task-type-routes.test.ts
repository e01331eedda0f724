import { beforeAll, expect, test } from 'vitest';
import { ApiUnderTest, type Member } from '../../test/harness/api.ts';
import { keepNetdiag, netdiagManifest } from '../../test/harness/plugin-archive.ts';

let api: ApiUnderTest;
let away: Member;

beforeAll(async () => {
  api = await ApiUnderTest.start();
  away = await api.member('viewer', 'RO', await api.organization('away'));
  await keepNetdiag(api.store, api.admin.organization.id);
  return () => api[Symbol.asyncDispose]();
});

const list = async (as = api.admin, query = '') => {
  const { status, body } = await api.call('GET', `/api/v1/task-types${query}`, { as });
  return { status, items: (body['items'] ?? []) as { name: string }[] };
};

test('task types of plugins stand behind those that are built in, with the schemas of their manifest', async () => {
  const { items } = await list();
  const { parameters, result, summary } = netdiagManifest().task_types.TRACEROUTE;
  expect(items.at(-1)).toEqual({
    name: 'NETDIAG.TRACEROUTE',
    plugin: 'netdiag',
    plugin_version: '1.0.0',
    supported: true,
    summary,
    parameters,
    result,
    lane: 'script',
    expires_in_seconds: 86_400,
    timeout_seconds: 90,
    can_stop: true,
    rerun: false,
    needs_idle: false,
    disruptive: false,
  });
  expect(items.find(({ name }) => name === 'PING')).toMatchObject({ plugin: null, plugin_version: null });
});

test('they are those of the organization of whoever asks', async () => {
  expect((await list(away)).items.map(({ name }) => name)).not.toContain('NETDIAG.TRACEROUTE');
  expect((await list(api.admin, '?organization=default')).status).toBe(200);
  expect((await list(away, '?organization=default')).status).toBe(404);
});
