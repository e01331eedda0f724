import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiDevice, configView, sha256Of, twoRecipients } from '../../test/harness/api-device.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { until } from '../../test/harness/until.ts';
import { importPublicKey, verifyText } from '../../shared/node/keys.ts';
import {
  archiveReadablePath,
  archiveReportPath,
  blobPath,
  probePath,
  pullReportPath,
  secretsPath,
  uploadPath,
} from '../../shared/protocol/transfer.ts';

let api: ApiUnderTest;
let device: ApiDevice;
let url: string;
beforeAll(async () => {
  api = await ApiUnderTest.start();
  device = await ApiDevice.make(api);
  url = await api.listen();
});
afterAll(() => api[Symbol.asyncDispose]());

const backup = (over = {}) => device.task('BACKUP', { recipients: twoRecipients, ...over });
const bytesOf = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, at) => at % 251));
const some = (text: string) => Buffer.from(text);
const partOf = (code: string, name: string) => join(api.folder.path, 'uploads', `${code}-${name}.part`);
const blobFile = (sha256: string) => join(api.folder.path, 'blobs', sha256.slice(0, 2), sha256);

describe('who may ask', () => {
  test('a token counts once, and only with the key of its device', async () => {
    const url = uploadPath(await device.task('PULL'), 'view');
    const as = (token: string) =>
      api.call('GET', url, { as: null, headers: { authorization: `Bearer ${token}` } });
    const token = await device.token();
    expect((await as(token)).status).toBe(200);
    expect((await as(token)).body).toMatchObject({ code: 'token_replayed' });
    const other = await ApiDevice.make(api);
    expect((await as(await device.token({ key: other.keys }))).status).toBe(401);
    expect((await as(api.admin.token)).status).toBe(401);
    expect((await api.call('GET', url, { as: null })).status).toBe(401);
  });

  test('a device that is disabled is refused', async () => {
    const blocked = await ApiDevice.make(api);
    const code = await blocked.task('PULL');
    await api.store.devices.setStatus(blocked.id, 'DISABLED', Date.now());
    expect((await blocked.call('GET', uploadPath(code, 'view'))).body).toMatchObject({ code: 'disabled' });
  });

  test('only its own tasks, of the right type, that are IN_PROGRESS, exist for a device', async () => {
    const other = await ApiDevice.make(api);
    const code = await device.task('PULL');
    expect((await device.call('GET', uploadPath(code, 'view'))).status).toBe(200);
    expect((await other.call('GET', uploadPath(code, 'view'))).status).toBe(404);
    expect((await device.call('GET', uploadPath('nothing1', 'view'))).status).toBe(404);
    expect((await device.call('GET', uploadPath(await device.task('PING'), 'view'))).status).toBe(404);
    expect((await device.call('GET', uploadPath(code, 'archive'))).status).toBe(404);
    expect((await device.call('GET', uploadPath(code, '..%2Fview'))).status).toBe(404);
    await device.finish(code);
    expect((await device.call('GET', uploadPath(code, 'view'))).status).toBe(404);
    expect((await device.append(code, 'view', 0, some('x'))).status).toBe(404);
  });

  test('bytes are a body only where they are asked for, and JSON is none there', async () => {
    const code = await device.task('PULL');
    const wrong = await device.call('PATCH', uploadPath(code, 'view'), { a: 1 }, { 'upload-offset': '0' });
    expect(wrong.status).toBe(415);
    expect((await device.call('POST', pullReportPath(code), some('{}'))).status).toBe(415);
    const member = await api.call('POST', '/api/v1/organizations/default/tasks', {
      raw: 'x',
      headers: { 'content-type': 'application/octet-stream' },
    });
    expect(member.status).toBe(415);
  });
});

describe('an upload', () => {
  test('arrives in pieces and is kept under its digest', async () => {
    const code = await backup();
    const bytes = bytesOf(100_000);
    expect((await device.append(code, 'archive', 0, bytes.subarray(0, 40_000))).body).toEqual({
      offset: 40_000,
      max_bytes: 4 * 1024 ** 3,
    });
    expect((await device.append(code, 'archive', 40_000, bytes.subarray(40_000))).body).toMatchObject({
      offset: 100_000,
    });
    const done = await device.complete(code, 'archive', bytes);
    expect(done.body).toEqual({ size: 100_000, sha256: sha256Of(bytes) });
    expect(readFileSync(blobFile(sha256Of(bytes))).equals(bytes)).toBe(true);
    expect(existsSync(partOf(code, 'archive'))).toBe(false);
  });

  test('says where it ends to a device that is somewhere else', async () => {
    const code = await backup();
    await device.append(code, 'archive', 0, some('0123'));
    const early = await device.append(code, 'archive', 2, some('xx'));
    expect([early.status, early.body['code'], early.body['detail']]).toEqual([
      409,
      'conflict',
      { offset: 4 },
    ]);
    expect((await device.append(code, 'archive', 9, some('xx'))).body['detail']).toEqual({ offset: 4 });
    expect((await device.call('GET', uploadPath(code, 'archive'))).body).toMatchObject({ offset: 4 });
    const unnamed = await device.call('PATCH', uploadPath(code, 'archive'), some('x'));
    expect([unnamed.status, unnamed.text]).toEqual([400, expect.stringContaining('Upload-Offset')]);
  });

  test('completes again without harm, and tells its whole size', async () => {
    const code = await backup();
    await device.bring(code, 'archive', 'abc');
    expect((await device.complete(code, 'archive', 'abc')).body).toEqual({
      size: 3,
      sha256: sha256Of('abc'),
    });
    expect((await device.call('GET', uploadPath(code, 'archive'))).body).toMatchObject({ offset: 3 });
  });

  test('that is another than before begins anew, whatever its length', async () => {
    for (const next of ['xy', 'xyz', 'wxyz']) {
      const code = await backup();
      await device.bring(code, 'archive', 'abc');
      // What an agent does after a crash: go on where the controller is, and believe it.
      for (let round = 0; round < 3; round += 1) {
        const { offset } = (await device.call('GET', uploadPath(code, 'archive'))).body as { offset: number };
        if (offset < next.length) await device.append(code, 'archive', offset, some(next.slice(offset)));
        if ((await device.complete(code, 'archive', next)).status === 200) break;
      }
      expect((await device.complete(code, 'archive', next)).body, next).toEqual({
        size: next.length,
        sha256: sha256Of(next),
      });
    }
  });

  test('whose bytes are not what the device says is thrown away', async () => {
    const code = await backup();
    await device.append(code, 'archive', 0, some('abc'));
    const answer = await device.complete(code, 'archive', 'abd');
    expect([answer.status, answer.body['code']]).toEqual([422, 'digest_mismatch']);
    expect((await device.call('GET', uploadPath(code, 'archive'))).body).toMatchObject({ offset: 0 });
  });

  test('that is not all there cannot be completed', async () => {
    const code = await backup();
    await device.append(code, 'archive', 0, some('ab'));
    const answer = await device.complete(code, 'archive', 'abc');
    expect([answer.status, answer.body['detail']]).toEqual([409, { offset: 2 }]);
    expect((await device.call('GET', uploadPath(code, 'archive'))).body).toMatchObject({ offset: 2 });
  });

  test('larger than the task allows is refused and leaves nothing', async () => {
    const code = await backup({ max_bytes: 1024 });
    const told = await device.append(code, 'archive', 0, bytesOf(1025));
    expect([told.status, told.body['code']]).toEqual([413, 'payload_too_large']);
    await device.append(code, 'archive', 0, bytesOf(1000));
    expect((await device.append(code, 'archive', 1000, bytesOf(25))).status).toBe(413);
    expect(existsSync(partOf(code, 'archive'))).toBe(false);
    await device.bring(code, 'archive', bytesOf(1024));
  });

  test('of nothing at all is an upload too', async () => {
    const code = await device.task('PULL');
    expect((await device.complete(code, 'view', '')).body).toEqual({ size: 0, sha256: sha256Of('') });
  });

  test('goes on after a connection that was cut', async () => {
    const code = await backup();
    const bytes = bytesOf(300_000);
    const cut = request(`${url}${uploadPath(code, 'archive')}`, {
      method: 'PATCH',
      headers: {
        authorization: `Bearer ${await device.token()}`,
        'content-type': 'application/octet-stream',
        'content-length': bytes.length,
        'upload-offset': '0',
      },
    });
    cut.on('error', () => undefined);
    cut.write(bytes.subarray(0, 123_456));
    const offsetNow = async () =>
      Number((await device.call('GET', uploadPath(code, 'archive'))).body['offset']);
    await until('what was sent arrived', async () => ((await offsetNow()) === 123_456 ? true : undefined));
    const closed = new Promise((resolve) => cut.once('close', resolve));
    cut.destroy();
    await closed;
    expect(await offsetNow()).toBe(123_456);
    expect((await device.append(code, 'archive', 123_456, bytes.subarray(123_456))).status).toBe(200);
    expect((await device.complete(code, 'archive', bytes)).status).toBe(200);
  });

  test('is taken over by a newer request when the older one only hangs', async () => {
    const code = await backup();
    const hanging = request(`${url}${uploadPath(code, 'archive')}`, {
      method: 'PATCH',
      headers: {
        authorization: `Bearer ${await device.token()}`,
        'content-type': 'application/octet-stream',
        'content-length': 100,
        'upload-offset': '0',
      },
    });
    hanging.on('error', () => undefined);
    hanging.write('0123456789');
    await until('the first bytes arrived', async () =>
      (await device.call('GET', uploadPath(code, 'archive'))).body['offset'] === 10 ? true : undefined,
    );
    expect((await device.append(code, 'archive', 10, some('abc'))).body).toMatchObject({ offset: 13 });
    hanging.destroy();
  });

  test('of 64 MiB arrives whole', async () => {
    const code = await backup();
    const bytes = Buffer.alloc(64 * 1024 * 1024, 7);
    const answer = await device.append(code, 'archive', 0, bytes);
    expect(answer.body).toMatchObject({ offset: bytes.length });
    expect((await device.complete(code, 'archive', bytes)).status).toBe(200);
  });

  test('is swept when its task is over, and its blob is let go', async () => {
    const [over, running] = [await backup(), await backup()];
    for (const code of [over, running]) {
      await device.append(code, 'archive', 0, some('half'));
      await device.bring(code, 'manifest', `whole ${code}`);
    }
    await device.finish(over);
    await api.content.uploads.sweep();
    expect(readdirSync(join(api.folder.path, 'uploads')).filter((name) => name.startsWith(over))).toEqual([]);
    expect(existsSync(partOf(running, 'archive'))).toBe(true);
    expect(await api.store.blobs.heldBy('upload', `${over}/manifest`)).toEqual([]);
    expect(await api.store.blobs.heldBy('upload', `${running}/manifest`)).toHaveLength(1);
  });
});

describe('a blob', () => {
  test('of its own archive is read whole or from anywhere on', async () => {
    const code = await backup();
    const sha256 = await device.bring(code, 'archive', '0123456789');
    const read = (range?: string) =>
      device.call('GET', blobPath(code, sha256), undefined, range === undefined ? {} : { range });
    const whole = await read();
    expect([whole.status, whole.text, whole.headers['etag']]).toEqual([200, '0123456789', `"${sha256}"`]);
    expect(whole.headers['content-length']).toBe('10');
    const rest = await read('bytes=7-');
    expect([rest.status, rest.text, rest.headers['content-range']]).toEqual([206, '789', 'bytes 7-9/10']);
    expect((await read('bytes=2-4')).text).toBe('234');
    expect((await read('bytes=8-99')).text).toBe('89');
    expect((await read('bytes=-3')).text).toBe('789');
    const beyond = await read('bytes=10-');
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */10']);
    for (const odd of ['bytes=4-2', 'lines=1-', 'bytes=1-2,4-5', 'bytes=-']) {
      expect((await read(odd)).text, odd).toBe('0123456789');
    }
  });

  test('of another task, or of nobody, does not exist', async () => {
    const theirs = await ApiDevice.make(api);
    const other = await theirs.task('BACKUP', { recipients: twoRecipients });
    const sha256 = await theirs.bring(other, 'archive', 'their own');
    const mine = await backup();
    expect((await device.call('GET', blobPath(mine, sha256))).status).toBe(404);
    expect((await device.call('GET', blobPath(mine, 'f'.repeat(64)))).status).toBe(404);
    expect((await device.call('GET', blobPath(mine, '..%2f..%2fcontroller.db'))).status).toBe(404);
  });

  test('that was cut in the store is told as damaged, and not sent', async () => {
    const code = await backup();
    const sha256 = await device.bring(code, 'archive', 'as it should be');
    writeFileSync(blobFile(sha256), 'cut');
    const answer = await device.call('GET', blobPath(code, sha256));
    expect([answer.status, answer.body['code']]).toEqual([422, 'digest_mismatch']);
  });

  test('of a SYNC is its manifest and what this names', async () => {
    const texts = [`manifest of ${device.id}`, 'address 10.0.0.1', 'of nobody'];
    const [manifest = '', file = '', other = ''] = texts.map((text) => sha256Of(text));
    await api.store.texts.put(
      texts.map((text) => ({ sha256: sha256Of(text), text })),
      Date.now(),
    );
    await api.store.manifests.insert([
      {
        deviceId: device.id,
        generation: 1,
        sha256: manifest,
        content: 'c',
        profileRev: 1,
        reason: 'sync',
        createdAt: Date.now(),
        texts: [file],
        bytes: 1,
      } as never,
    ]);
    const code = await device.task('SYNC', { generation: 1, manifest, manifest_bytes: 9 });
    const read = (sha256: string, range?: string) =>
      device.call('GET', blobPath(code, sha256), undefined, range === undefined ? {} : { range });
    expect((await read(manifest)).text).toBe(texts[0]);
    expect((await read(file)).text).toBe(texts[1]);
    expect((await read(file, 'bytes=8-')).text).toBe('10.0.0.1');
    expect((await read(other)).status).toBe(404);
    expect((await device.call('POST', secretsPath(code))).status).not.toBe(500);
  });
});

describe('a report', () => {
  test('of a PULL needs what it names to be brought by the same task', async () => {
    const first = await device.pull(configView({ '/etc/a': 'one' }));
    expect(first.body).toEqual({ version: 1, changed: true });
    const other = await ApiDevice.make(api);
    const stolen = sha256Of(JSON.stringify(configView({ '/etc/a': 'one' })));
    const code = await other.task('PULL', { recipients: [] });
    await other.bring(code, 'view', JSON.stringify(configView({ '/etc/b': 'two' })));
    const answer = await other.pull(configView({ '/etc/b': 'two' }), { code, view_sha256: stolen });
    expect([answer.status, answer.body['detail']]).toEqual([409, { missing: ['view'] }]);
  });

  test('of an archive is taken with the signature of its device only', async () => {
    const other = await ApiDevice.make(api);
    const code = await backup();
    const manifest_sha256 = await device.bring(code, 'manifest', JSON.stringify(device.manifest()));
    const archive_sha256 = await device.bring(code, 'archive', 'sealed');
    const told = { manifest_sha256, archive_sha256, archive_bytes: 6 };
    const report = (signed: object) =>
      device.call('POST', archiveReportPath(code), { ...signed, outcome: 'stored' });

    expect((await report(device.statement(told, other.keys))).body).toMatchObject({
      code: 'invalid_parameters',
    });
    const { signature } = device.statement({ ...told, content: 'other' });
    expect((await report({ ...device.statement(told), signature })).status).toBe(422);
    expect((await report({ ...device.statement(told), signature: '' })).status).toBe(422);
    expect((await report(device.statement({ ...told, device: other.id }))).status).toBe(422);
    expect((await report(device.statement({ ...told, archive_bytes: 7 }))).body).toMatchObject({
      code: 'digest_mismatch',
    });
    expect((await report(device.statement({ ...told, archive_sha256: 'e'.repeat(64) }))).status).toBe(409);
    expect((await report(device.statement({ ...told, content: 'content-2' }))).body).toMatchObject({
      code: 'digest_mismatch',
    });
    expect(await api.store.archives.byTask(code)).toBeUndefined();

    const good = device.statement(told);
    const stored = await report(good);
    expect(stored.body).toMatchObject({ size: 6, sha256: archive_sha256, level: 'stored' });
    expect((await report(good)).body).toEqual(stored.body);
    expect((await report(device.statement({ ...told, made_at: 'later' }))).status).toBe(409);
  });

  test('that an archive was read back lifts it to readable, by its own task only', async () => {
    const { body, code } = await device.backUp(some('sealed 2'));
    const readable = { archive: String(body['archive']), files: 1, plain_bytes: 1 };
    const another = await backup();
    expect((await device.call('POST', archiveReadablePath(another), readable)).status).toBe(404);
    expect((await device.call('POST', archiveReadablePath(code), readable)).body).toMatchObject({
      level: 'readable',
    });
    expect((await device.call('POST', archiveReadablePath(code), readable)).status).toBe(200);
  });

  test('that nothing changed is taken as long as the archive is whole', async () => {
    const { body, code } = await device.backUp(some('sealed 3'), { content: 'same' });
    await device.finish(code);
    const archive = String(body['archive']);
    const sha256 = String(body['sha256']);
    const unchanged = async (content: string) =>
      device.call('POST', archiveReportPath(await backup()), {
        ...device.statement({ archive_sha256: sha256, archive_bytes: 8, content }),
        outcome: 'unchanged',
      });
    expect((await unchanged('same')).body).toMatchObject({ archive });
    expect((await api.store.archives.get(api.admin.organization.id, archive))?.unchangedAt).not.toBeNull();
    expect((await unchanged('other')).status).toBe(409);
    writeFileSync(blobFile(sha256), 'short');
    expect((await unchanged('same')).status).toBe(409);
    expect((await api.store.archives.get(api.admin.organization.id, archive))?.damagedAt).not.toBeNull();
    expect((await unchanged('same')).status).toBe(409);
  });
});

test('a probe is answered over what was asked, signed by the controller', async () => {
  const asked = { transaction: 'tx-1', nonce: 'n'.repeat(16) };
  const padding = 'p'.repeat(20_000);
  const answer = (await device.call('POST', probePath, { ...asked, padding })).body as Record<string, string>;
  const { statement, signature } = answer;
  expect(answer['padding']).toBe(padding);
  expect(JSON.parse(statement ?? '')).toMatchObject({ purpose: 'probe', device: device.id, ...asked });
  const key = importPublicKey(api.core.identity.keys.publicKey);
  expect(verifyText(statement ?? '', signature ?? '', key)).toBe(true);
  expect((await device.call('POST', probePath, { ...asked, nonce: 'short' })).status).toBe(400);
});
