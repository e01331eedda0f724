import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Device, DeviceList } from '../../shared/api/devices.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await ApiUnderTest.start();
  await api.device('berlin-1', { labels: { site: 'berlin', tier: '1', ou: 'branches' } });
  await api.device('berlin-2', { labels: { site: 'berlin', tier: '2' } });
  await api.device('rome-1', { labels: { site: 'rome', tier: '1' }, status: 'PENDING' });
});
afterAll(() => api[Symbol.asyncDispose]());

const root = '/api/v1/organizations/default/devices';
const names = async (query: string) => {
  const answer = await api.call('GET', `${root}?${query}`);
  expect(answer.status, answer.text).toBe(200);
  return (answer.body as DeviceList).items.map(({ name }) => name);
};

test('devices are filtered by pattern, status, labels, unit and being online', async () => {
  expect(await names('')).toEqual(['berlin-1', 'berlin-2', 'rome-1']);
  expect(await names('name=.*-1&sort_by=name:desc')).toEqual(['rome-1', 'berlin-1']);
  expect(await names('status=PENDING')).toEqual(['rome-1']);
  expect(await names('label=site=berlin')).toEqual(['berlin-1', 'berlin-2']);
  expect(await names('label=site=berlin,tier=2')).toEqual(['berlin-2']);
  expect(await names('ou=branches')).toEqual(['berlin-1']);
  expect(await names('online=true')).toEqual([]);
  expect(await names('online=false&name=berlin-.*')).toEqual(['berlin-1', 'berlin-2']);
});

test('devices are filtered by creation and last sign of life', async () => {
  expect(await names('created_after=1h')).toEqual(['berlin-1', 'berlin-2', 'rome-1']);
  expect(await names('created_before=1h')).toEqual([]);
  const berlin = await api.store.devices.byName(api.admin.organization.id, 'berlin-1');
  await api.store.devices.touch([{ deviceId: berlin?.id ?? '', at: Date.parse('2026-01-01T00:00:00Z') }]);
  expect(await names('heartbeat_before=2026-01-01T00:00:01Z')).toEqual(['berlin-1']);
  expect(await names('heartbeat_after=2026-01-01T00:00:01')).toEqual([]);
});

test.each([
  ['heartbeat_after=soon', /heartbeat_after/],
  ['sort_by=colour:asc', /name, status, created_at, updated_at, heartbeat/],
  ['label=site', /key=value/],
  ['label==x', /key=value/],
  ['name=((', /\(\(/],
])('devices are not filtered by %s', async (query, says) => {
  const answer = await api.call('GET', `${root}?${query}`);
  expect(answer).toMatchObject({ status: 400, body: { error: expect.stringMatching(says) } });
});

test('a device is found by name and by uuid, and a name that looks like the uuid of another does not stand in for it', async () => {
  const id = await api.device('original');
  await api.device(id, { labels: { fake: 'yes' } });
  expect((await api.call('GET', `${root}/original`)).body['uuid']).toBe(id);
  const byId = (await api.call('GET', `${root}/${id}`)).body as Device;
  expect(byId).toMatchObject({ uuid: id, name: 'original', organization: 'default', online: false });
  expect(byId.key_fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(await api.call('GET', `${root}/nobody`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('a device is approved, disabled, enabled, renamed and removed, and the audit log says who did it', async () => {
  await api.device('edge-1', { status: 'PENDING' });
  const change = async (verb: string, body?: object) =>
    (await api.call(verb === 'rename' ? 'PUT' : 'POST', `${root}/edge-1/${verb}`, { ...(body && { body }) }))
      .body;

  expect(await change('approve')).toMatchObject({ status: 'ENABLED' });
  expect(await change('disable')).toMatchObject({ status: 'DISABLED' });
  expect(await change('enable')).toMatchObject({ status: 'ENABLED' });
  expect(await change('rename', { new_name: 'berlin-1' })).toMatchObject({ code: 'name_taken' });
  expect(await change('rename', { new_name: 'edge-2' })).toMatchObject({ name: 'edge-2' });

  const removed = await api.call('DELETE', `${root}/edge-2`, { headers: { 'x-request-id': 'removal-1' } });
  expect(removed).toMatchObject({ status: 204, text: '' });
  expect((await api.call('GET', `${root}/edge-2`)).status).toBe(404);

  const audit = await api.call('GET', '/api/v1/organizations/default/audit?per_page=1');
  expect(audit.body['items']).toMatchObject([
    { actor: api.admin.account.email, request_id: 'removal-1', ip_address: '127.0.0.1' },
  ]);
});

test('labels are read, replaced and changed', async () => {
  await api.device('edge-3', { labels: { site: 'berlin', tier: '1' } });
  const url = `${root}/edge-3/labels`;
  expect((await api.call('GET', url)).body).toEqual({ labels: { site: 'berlin', tier: '1' } });
  const changed = await api.call('PATCH', url, { body: { labels: { tier: null, role: 'edge' } } });
  expect(changed.body['labels']).toEqual({ site: 'berlin', role: 'edge' });
  const replaced = await api.call('PUT', url, { body: { labels: { only: 'this' } } });
  expect(replaced.body['labels']).toEqual({ only: 'this' });
  expect((await api.call('PUT', url, { body: { labels: { 'not plain!': 'x' } } })).status).toBe(400);
  expect((await api.call('PATCH', url, { body: { labels: { 'not plain!': 'x' } } })).status).toBe(400);
});

test('a label that says the time zone is one, in whatever way it is set', async () => {
  await api.device('zoned');
  const labels = { timezone: 'Not/AZone' };
  const refused = {
    status: 400,
    body: { error: expect.stringMatching(/^label timezone "Not\/AZone" is not a time zone: expected/) },
  };
  expect(await api.call('PATCH', `${root}/zoned/labels`, { body: { labels } })).toMatchObject(refused);
  expect(await api.call('PUT', `${root}/zoned/labels`, { body: { labels } })).toMatchObject(refused);
  const token = { name: 'zoned', labels };
  const tokens = '/api/v1/organizations/default/enrolment-tokens';
  expect(await api.call('POST', tokens, { body: token })).toMatchObject(refused);
  const right = { labels: { timezone: 'Asia/Tokyo' } };
  expect(await api.call('PATCH', `${root}/zoned/labels`, { body: right })).toMatchObject({
    status: 200,
    body: { ...right, timezone: 'Asia/Tokyo' },
  });
});

test('a time zone that is none shows as unknown, and does not stand in the way of other labels', async () => {
  await api.device('old-label', { labels: { timezone: 'Nowhere' } });
  const id = await api.device('odd-fact');
  await api.store.devices.saveFacts(id, 'digest', { timezone: 'Not/AZone' }, 0);
  expect((await api.call('GET', `${root}/odd-fact`)).body['timezone']).toBeNull();
  await api.store.devices.saveFacts(id, 'digest', { timezone: 'Europe/Rome' }, 0);
  expect((await api.call('GET', `${root}/odd-fact`)).body['timezone']).toBe('Europe/Rome');
  const body = { labels: { site: 'oslo' } };
  expect(await api.call('PATCH', `${root}/old-label/labels`, { body })).toMatchObject({
    status: 200,
    body: { labels: { timezone: 'Nowhere', site: 'oslo' }, timezone: null },
  });
});
