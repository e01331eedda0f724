import { beforeAll, expect, test } from 'vitest';
import { ApiDevice } from '../../test/harness/api-device.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { releaseSigner, signRelease } from '../../test/harness/signed-release.ts';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { PluginInstall } from '../../shared/task-types/plugin-install.ts';

const home = '/api/v1/organizations/default';
let api: ApiUnderTest;

beforeAll(async () => {
  api = await ApiUnderTest.start();
  return () => api[Symbol.asyncDispose]();
});

const add = (archive: string, signature: string) =>
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
