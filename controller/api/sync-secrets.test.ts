import { describe, expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import type { ApiDevice } from '../../test/harness/api-device.ts';
import { restoreOf } from '../../test/harness/configuration-samples.ts';
import { DesiredUnderTest } from '../../test/harness/desired.ts';
import { Manifest, secretMarker } from '../../shared/manifest.ts';
import { ageDecrypt, ageEncrypt, recipientOf } from '../../shared/node/age.ts';
import { blobPath, secretsPath } from '../../shared/protocol/transfer.ts';
import { sha256Of } from '../content/sha256.ts';

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function all(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

interface Stage extends AsyncDisposable {
  api: ApiUnderTest;
  desired: DesiredUnderTest;
  device: ApiDevice;
  identity: string;
}

async function stage(): Promise<Stage> {
  const api = await ApiUnderTest.start();
  const desired = new DesiredUnderTest(api);
  const { device, identity } = await desired.speaking('fw-1', { site: 'a' });
  return { api, desired, device, identity, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

/** Makes the task of a request and starts it. */
async function started({ api, device }: Stage, tasks: { task: string }[]) {
  const code = tasks[0]?.task ?? '';
  await api.store.tasks.start([{ deviceId: device.id, code }], Date.now(), 0);
  const task = await api.store.tasks.get(undefined, code);
  return { code, parameters: JSON.parse(task?.parameters ?? '{}') as { manifest: string } };
}

describe('a SYNC with secrets', () => {
  const canary = 'correct horse battery';

  test('carries markers in its files, and the values apart, for its device only', async () => {
    await using given = await stage();
    const { desired, device, identity } = given;
    await desired.variable('psk', 'of everybody', { secret: true });
    await desired.variable('psk', canary, { secret: true, scope: 'device', key: 'fw-1' });
    await desired.variable('unused', 'unused', { secret: true });
    await desired.bundle('base', { '/etc/key': 'psk={{ psk }}\n' });
    const { code, parameters } = await started(given, (await desired.sync()).tasks);

    const manifestText = (await device.call('GET', blobPath(code, parameters.manifest))).text;
    const manifest = Manifest.parse(JSON.parse(manifestText));
    expect(Object.keys(manifest.secrets)).toEqual(['psk']);
    expect(manifest.files[0]?.encoding).toBe('template');
    const file = await device.call('GET', blobPath(code, manifest.files[0]?.blob ?? ''));
    expect(file.text).toBe(`psk=${secretMarker('psk')}\n`);
    const { status, bytes } = await device.call('POST', secretsPath(code), {});
    expect(status).toBe(200);
    expect(bytes.includes(canary)).toBe(false);
    expect(JSON.parse((await all(ageDecrypt(once(bytes), identity))).toString())).toEqual({ psk: canary });
  });

  test('is refused its values when they changed meanwhile, and told what to do', async () => {
    await using given = await stage();
    const { desired, device } = given;
    await desired.variable('psk', 'old', { secret: true });
    await desired.bundle('base', { '/etc/key': '{{ psk }}' });
    const before = await started(given, (await desired.sync()).tasks);
    await desired.variable('psk', canary, { secret: true });
    const answer = await device.call('POST', secretsPath(before.code), {});
    expect(answer).toMatchObject({ status: 409, body: { code: 'conflict', detail: { changed: ['psk'] } } });
    expect(answer.body['error']).toContain('sync it again');
    await desired.variable('psk', 'old', { secret: true });
    expect((await device.call('POST', secretsPath(before.code), {})).status).toBe(200);
    await desired.ok('DELETE', 'variables?name=psk');
    expect((await device.call('POST', secretsPath(before.code), {})).status).toBe(409);
  });

  test('has a new content when a value changed, and the same when it did not', async () => {
    await using given = await stage();
    const { desired } = given;
    await desired.variable('psk', 'one', { secret: true });
    await desired.bundle('base', { '/etc/key': '{{ psk }}' });
    const contents: unknown[] = [];
    for (const value of ['one', 'two', 'one']) {
      await desired.variable('psk', value, { secret: true });
      contents.push((await desired.status('fw-1'))['current_hash']);
    }
    expect(contents[0]).toBe(contents[2]);
    expect(contents[0]).not.toBe(contents[1]);
  });

  test('of another device gives nothing away', async () => {
    await using given = await stage();
    const { desired } = given;
    const { device: other } = await desired.speaking('fw-2');
    await desired.variable('psk', canary, { secret: true });
    await desired.bundle('base', { '/etc/key': '{{ psk }}{{ device.name }}' });
    const { code, parameters } = await started(
      given,
      (await desired.sync({ targets: { devices: ['fw-1'] } })).tasks,
    );
    expect((await other.call('POST', secretsPath(code), {})).status).toBe(404);
    expect((await other.call('GET', blobPath(code, parameters.manifest))).status).toBe(404);
  });
});

describe('a restore', () => {
  const ciphertextFor = async (identity: string, text: string): Promise<Buffer> =>
    all(ageEncrypt(once(Buffer.from(text)), [await recipientOf(identity)]));

  test('is one SYNC whose files only its device can read', async () => {
    await using given = await stage();
    const { desired, device, identity } = given;
    const bytes = await ciphertextFor(identity, 'restored\n');
    const body = restoreOf('fw-1', { dry_run: true }, bytes.toString('base64'));
    const answer = (await desired.ok('POST', 'restores', body)) as { tasks: { task: string }[] };
    const { code, parameters } = await started(given, answer.tasks);
    expect(parameters).toMatchObject({
      reason: 'restore',
      on_drift: 'overwrite',
      dry_run: true,
      generation: 1,
    });

    const manifest = Manifest.parse(
      JSON.parse((await device.call('GET', blobPath(code, parameters.manifest))).text),
    );
    expect(manifest.files).toMatchObject([{ path: '/etc/motd', encoding: 'age', sha256: 'a'.repeat(64) }]);
    const file = await device.call('GET', blobPath(code, manifest.files[0]?.blob ?? ''));
    expect(sha256Of(file.bytes.toString('latin1'))).toBe(sha256Of(bytes.toString('latin1')));
    expect((await all(ageDecrypt(once(file.bytes), identity))).toString()).toBe('restored\n');
    const audit = await desired.ok('GET', 'audit?action=restore.create');
    expect(audit['items']).toMatchObject([{ target: 'fw-1', detail: { archive: 'archive-1', files: 1 } }]);
  });

  test('is made once under its key', async () => {
    await using given = await stage();
    const { api } = given;
    const post = () =>
      api.call('POST', '/api/v1/organizations/default/restores', {
        body: restoreOf('fw-1'),
        headers: { 'idempotency-key': 'restore-1' },
      });
    const first = await post();
    const second = await post();
    expect(second.body).toEqual(first.body);
    expect(first.status).toBe(200);
    expect((await api.store.runs.list(api.admin.organization.id, { page: 1, perPage: 5 })).total).toBe(1);
  });

  const [file] = (restoreOf('fw-1') as { files: object[] }).files;
  test.each([
    ['of what is not encrypted', { files: [{ ...file, content: Buffer.from('plain').toString('base64') }] }],
    ['of the agent’s own files', { files: [{ ...file, path: '/etc/muster/x' }] }],
    ['of a path that is none', { files: [{ ...file, path: '/etc/../x' }] }],
    ['of a path twice', { files: [file, file] }],
    ['of a mode that is none', { files: [{ ...file, mode: '777' }] }],
    [
      'of a path that the profile does not manage',
      { profile: { id: 'debian', rev: 1 }, files: [{ ...file, path: '/etc/shadow' }] },
    ],
  ])('%s is refused', async (_, over) => {
    await using given = await stage();
    const answer = await given.desired.call('POST', 'restores', restoreOf('fw-1', over));
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_parameters' } });
  });
});
