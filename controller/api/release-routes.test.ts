import { beforeAll, expect, test } from 'vitest';
import { ApiDevice } from '../../test/harness/api-device.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { netdiagArchive } from '../../test/harness/plugin-archive.ts';
import { releaseSigner, signRelease } from '../../test/harness/signed-release.ts';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { PluginInstall } from '../../shared/task-types/plugin-install.ts';

const home = '/api/v1/organizations/default';
let api: ApiUnderTest;

beforeAll(async () => {
  api = await ApiUnderTest.start();
  return () => api[Symbol.asyncDispose]();
});

const add = (archive: string | Buffer, signature: string) =>
  api.call(
    'POST',
    `${home}/releases?signature=${encodeURIComponent(Buffer.from(signature).toString('base64'))}`,
    {
      raw: archive,
      headers: { 'content-type': 'application/octet-stream' },
    },
  );
const install = (body: object) => api.call('POST', `${home}/plugin-install`, { body });

test('a signed release is kept, listed, promoted, handed to a device, and yanked', async () => {
  const device = await ApiDevice.make(api);
  const targets = { devices: [device.name] };
  expect((await install({ targets })).text).toContain('No release for linux-x64 is promoted');

  const signature = signRelease('bytes of a release', { version: '2.0.0' });
  const added = await add('bytes of a release', signature);
  expect(added.status, added.text).toBe(201);
  expect(added.body).toMatchObject({
    version: '2.0.0',
    platform: 'linux-x64',
    status: 'available',
    bytes: 18,
  });
  expect((await add('bytes of a release', signature)).status).toBe(201);

  const promoted = await api.call('POST', `${home}/releases/2.0.0/promote`, { body: {} });
  expect(promoted.body).toMatchObject({ items: [{ version: '2.0.0', status: 'promoted' }] });

  const { body } = await install({ targets });
  const [{ task }] = body['tasks'] as [{ task: string }];
  const row = await api.store.tasks.get(undefined, task);
  const parameters = PluginInstall.parameters.parse(JSON.parse(row?.parameters ?? ''));
  expect(parameters).toMatchObject({
    version: '2.0.0',
    signature,
    sha256: added.body['sha256'],
    force: false,
  });

  await api.call('POST', `${home}/releases/2.0.0/yank`, { body: {} });
  expect((await install({ targets })).status).toBe(404);
  expect((await install({ targets, version: '2.0.0' })).text).toContain('was yanked');
  expect((await api.call('POST', `${home}/releases/2.0.0/promote`, { body: {} })).status).toBe(409);
});

test('promoting takes the place of what was promoted before', async () => {
  for (const version of ['3.0.0', '3.0.1']) {
    expect((await add(`release ${version}`, signRelease(`release ${version}`, { version }))).status).toBe(
      201,
    );
    await api.call('POST', `${home}/releases/${version}/promote`, { body: {} });
  }
  const { body } = await api.call('GET', `${home}/releases`);
  const promoted = (body['items'] as { version: string; status: string }[]).filter(
    ({ status }) => status === 'promoted',
  );
  expect(promoted).toMatchObject([{ version: '3.0.1' }]);
});

test('what no trusted key signed is not kept', async () => {
  const stranger = generateKeyPair().privateKey;
  const answer = await add('bytes', signRelease('bytes', { version: '4.0.0' }, stranger));
  expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status: 403, code: 'forbidden' });
  expect((await add('bytes', 'no signature at all')).status).toBe(403);
  expect(await api.store.releases.ofVersion(api.admin.organization.id, 'muster-agent', '4.0.0')).toEqual([]);
});

test.each([
  ['other bytes', 'bytez', {}],
  ['more bytes', 'bytes and more', {}],
  ['fewer bytes than the manifest says', 'bytes', { bytes: 6 }],
])('%s than were signed are not kept', async (_what, archive, over) => {
  const answer = await add(archive, signRelease('bytes', { version: '4.1.0', ...over }));
  expect({ status: answer.status, code: answer.body['code'] }).toEqual({
    status: 422,
    code: 'digest_mismatch',
  });
});

test('a version stands for one archive for ever', async () => {
  expect((await add('first', signRelease('first', { version: '5.0.0' }))).status).toBe(201);
  const other = await add('second', signRelease('second', { version: '5.0.0' }, releaseSigner));
  expect({ status: other.status, code: other.body['code'] }).toEqual({ status: 409, code: 'name_taken' });
});

test('a release is not run as a plain task', async () => {
  const device = await ApiDevice.make(api, 'plain');
  const answer = await api.call('POST', `${home}/tasks`, {
    body: { type: 'PLUGIN_INSTALL', targets: { devices: [device.name] } },
  });
  expect(answer.text).toContain('use POST /api/v1/organizations/{organization}/plugin-install');
});

/** Adds `netdiag`; what was signed of it can be another thing than what its manifest says. */
async function addPlugin(over: Record<string, unknown> = {}, signed: object = {}) {
  const archive = await netdiagArchive(over);
  const what = { name: 'netdiag', version: '1.0.0', platform: 'any', ...over, ...signed };
  return add(archive, signRelease(archive, what));
}

test('a plugin is kept beside the agent, and installed and removed by its name', async () => {
  const device = await ApiDevice.make(api);
  const targets = { devices: [device.name] };
  expect((await install({ targets, name: 'netdiag' })).text).toContain(
    'No release of netdiag for linux-x64 is promoted',
  );
  const added = await addPlugin();
  expect(added.status, added.text).toBe(201);
  expect(added.body).toMatchObject({ name: 'netdiag', version: '1.0.0', platform: 'any' });
  expect((await addPlugin()).status).toBe(201);

  const orderOf = async (body: object) => {
    const answer = await install({ targets, ...body });
    expect(answer.status, answer.text).toBe(200);
    const [{ task }] = answer.body['tasks'] as [{ task: string }];
    return JSON.parse((await api.store.tasks.get(undefined, task))?.parameters ?? '');
  };
  expect(await orderOf({ name: 'netdiag', version: '1.0.0' })).toMatchObject({
    name: 'netdiag',
    platform: 'any',
    sha256: added.body['sha256'],
  });
  await api.call('POST', `${home}/releases/1.0.0/promote`, { body: { name: 'netdiag' } });
  await addPlugin({ version: '1.1.0' }, { platform: 'linux-x64' });
  await api.call('POST', `${home}/releases/1.1.0/promote`, { body: { name: 'netdiag' } });
  expect(await orderOf({ name: 'netdiag' })).toMatchObject({ version: '1.1.0', platform: 'linux-x64' });
  expect(await orderOf({ name: 'netdiag', platform: 'linux-arm64' })).toMatchObject({ version: '1.0.0' });
  expect(await orderOf({ name: 'netdiag', remove: true })).toEqual({ name: 'netdiag', remove: true });
  expect((await install({ targets, remove: true })).text).toContain('not the agent');
  expect((await install({ targets, name: 'netdiag', remove: true, version: '1.0.0' })).body).toMatchObject({
    code: 'exclusive_options',
  });

  const yanked = await api.call('POST', `${home}/releases/1.0.0/yank`, { body: { name: 'netdiag' } });
  expect(yanked.body).toMatchObject({ items: [{ name: 'netdiag', status: 'yanked' }] });
  expect((await install({ targets, name: 'netdiag', version: '1.0.0' })).text).toContain(
    'Release 1.0.0 of netdiag for any was yanked',
  );
  expect((await api.call('POST', `${home}/releases/1.0.0/yank`, { body: {} })).text).toContain(
    'There is no release 1.0.0',
  );
});

test('a plugin whose manifest is not what was signed, or not one, is not kept', async () => {
  const wrong = await addPlugin({ version: '2.0.0' }, { version: '2.0.1' });
  expect(wrong).toMatchObject({ status: 400, body: { code: 'bad_request' } });
  expect(wrong.text).toContain('plugin.json of netdiag 2.0.1 is of netdiag 2.0.0');
  const agent = await add('no archive', signRelease('no archive', { name: 'netdiag', version: '2.0.2' }));
  expect(agent.text).toContain('The archive is not of a plugin');
  for (const version of ['2.0.0', '2.0.1', '2.0.2']) {
    expect(await api.store.releases.ofVersion(api.admin.organization.id, 'netdiag', version)).toEqual([]);
  }
});

test('what was done to a plugin is in the audit log under its name', async () => {
  const { body } = await api.call('GET', `${home}/audit?per_page=100`);
  const items = body['items'] as { action: string; detail: { name?: string } }[];
  for (const action of ['release.add', 'release.promote', 'release.yank']) {
    expect(items).toContainEqual(
      expect.objectContaining({ action, detail: expect.objectContaining({ name: 'netdiag' }) }),
    );
  }
});

test('a task of a plugin is run, and found by its type', async () => {
  const device = await ApiDevice.make(api);
  const body = { type: 'NETDIAG.TRACEROUTE', targets: { devices: [device.name] }, payload: { count: 2 } };
  const wrong = await api.call('POST', `${home}/tasks`, { body });
  expect(wrong).toMatchObject({ status: 422, body: { code: 'invalid_parameters' } });
  const right = await api.call('POST', `${home}/tasks`, { body: { ...body, payload: { host: 'a' } } });
  expect(right.body).toMatchObject({ type: 'NETDIAG.TRACEROUTE', total: 1 });
  for (const what of ['tasks', 'runs']) {
    const found = await api.call('GET', `/api/v1/${what}?type=NETDIAG.TRACEROUTE`);
    expect(found.body['total'], found.text).toBe(1);
  }
  const unknown = await api.call('POST', `${home}/tasks`, { body: { ...body, type: 'PNIG' } });
  expect(unknown.text).toContain('type: expected one of PING');
});
