import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemRandom } from '../../shared/node/system-clock.ts';
import { sha256Of } from '../../test/harness/api-device.ts';
import { S3Server } from '../../test/harness/s3-server.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import type { BlobStore } from './blobs.ts';
import { DiskBlobs } from './disk-blobs.ts';
import { openBlobs } from './open-blobs.ts';
import { S3Blobs } from './s3-blobs.ts';

const writer = { accessKeyId: 'writer', secretAccessKey: 'secret of the writer', mayDelete: false };
const deleter = { accessKeyId: 'deleter', secretAccessKey: 'secret of the deleter', mayDelete: true };
const folder = temporaryFolder('blobs');
let server: S3Server;
beforeAll(async () => {
  server = await S3Server.start('backups', [writer, deleter]);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const s3 = (over: object = {}) =>
  new S3Blobs({
    endpoint: server.url,
    region: 'eu-central-1',
    bucket: 'backups',
    prefix: 'muster/',
    pathStyle: true,
    credentials: writer,
    deleteCredentials: deleter,
    ...over,
  });
const disk = () => DiskBlobs.open(join(folder.path, 'disk'), systemRandom);
const read = async (store: BlobStore, sha256: string, range?: { start: number; end?: number }) =>
  Buffer.concat(await (await store.read(sha256, range)).toArray()).toString();
const keyOf = (sha256: string) => `muster/${sha256.slice(0, 2)}/${sha256}`;
const fileWith = (bytes: string | Buffer) => {
  const file = join(folder.path, systemRandom.uuid());
  writeFileSync(file, bytes);
  return { file, size: Buffer.byteLength(bytes) };
};

const places: [string, () => Promise<BlobStore> | BlobStore][] = [
  ['on disk', disk],
  ['in S3', s3],
];

describe.each(places)('blobs %s', (_place, open) => {
  test('are read as they were put, whole or in part', async () => {
    await using store = await open();
    const sha256 = sha256Of('0123456789');
    await store.put(sha256, { bytes: Buffer.from('0123456789') });
    expect(await store.size(sha256)).toBe(10);
    expect(await read(store, sha256)).toBe('0123456789');
    expect(await read(store, sha256, { start: 7 })).toBe('789');
    expect(await read(store, sha256, { start: 2, end: 4 })).toBe('234');
  });

  test('are put from a file, which stays with its owner', async () => {
    await using store = await open();
    const source = fileWith('from a file');
    await store.put(sha256Of('from a file'), source);
    expect(await read(store, sha256Of('from a file'))).toBe('from a file');
    expect(readFileSync(source.file, 'utf8')).toBe('from a file');
  });

  test('can be empty, and put again', async () => {
    await using store = await open();
    for (let time = 0; time < 2; time += 1) await store.put(sha256Of(''), { bytes: Buffer.alloc(0) });
    expect(await store.size(sha256Of(''))).toBe(0);
    expect(await read(store, sha256Of(''))).toBe('');
  });

  test('that are not there are told', async () => {
    await using store = await open();
    expect(await store.size(sha256Of('nothing'))).toBeUndefined();
    await expect(store.read(sha256Of('nothing'))).rejects.toMatchObject({ code: 'not_found' });
    await store.delete(sha256Of('nothing'));
  });

  test('are deleted, and listed as long as they are there', async () => {
    await using store = await open();
    const all = ['one', 'two', 'three'].map((text) => sha256Of(text));
    for (const text of ['one', 'two', 'three']) await store.put(sha256Of(text), { bytes: Buffer.from(text) });
    await store.delete(sha256Of('two'));
    const listed = new Map<string, { size: number; storedAt: number }>();
    for await (const one of store.list()) listed.set(one.sha256, one);
    expect(all.map((sha256) => listed.get(sha256)?.size)).toEqual([3, undefined, 5]);
    expect(listed.get(sha256Of('one'))?.storedAt).toBeLessThanOrEqual(Date.now());
  });

  test('that many put at once are there once', async () => {
    await using store = await open();
    const sha256 = sha256Of('popular');
    await Promise.all(Array.from({ length: 8 }, () => store.put(sha256, { bytes: Buffer.from('popular') })));
    expect(await read(store, sha256)).toBe('popular');
  });
});

describe('on disk', () => {
  test('what a crash left half written is gone at the next opening', async () => {
    await using store = await disk();
    await store.put(sha256Of('whole'), { bytes: Buffer.from('whole') });
    writeFileSync(join(folder.path, 'disk', 'tmp', 'half'), 'ha');
    await disk();
    expect(readdirSync(join(folder.path, 'disk', 'tmp'))).toEqual([]);
    expect(await read(store, sha256Of('whole'))).toBe('whole');
  });

  test('a file that was cut is replaced by the whole one', async () => {
    await using store = await disk();
    const sha256 = sha256Of('not cut');
    await store.put(sha256, { bytes: Buffer.from('not cut') });
    writeFileSync(join(folder.path, 'disk', sha256.slice(0, 2), sha256), 'no');
    await store.put(sha256, { bytes: Buffer.from('not cut') });
    expect(await read(store, sha256)).toBe('not cut');
  });

  test('nothing outside the folder has a digest', async () => {
    await using store = await disk();
    await expect(store.read('../../etc/passwd')).rejects.toThrow('not a digest');
  });
});

describe('in S3', () => {
  test('a large file goes up in parts', async () => {
    await using store = s3();
    const bytes = Buffer.alloc(20 * 1024 * 1024, 'abcdefg');
    const sha256 = sha256Of(bytes);
    await store.put(sha256, fileWith(bytes));
    expect(server.objects.get(keyOf(sha256))?.equals(bytes)).toBe(true);
    expect(server.openUploads).toBe(0);
    expect(server.requests.filter((one) => one === `PUT ${keyOf(sha256)}`)).toHaveLength(3);
  });

  test('every put is create-only, and carries no checksum that other stores do not know', async () => {
    await using store = s3();
    await store.put(sha256Of('once'), { bytes: Buffer.from('once') });
    expect(server.lastPut['if-none-match']).toBe('*');
    expect(Object.keys(server.lastPut).filter((name) => /checksum|crc|trailer/.test(name))).toEqual([]);
  });

  test('an object that was replaced by another is not written over', async () => {
    await using store = s3();
    const sha256 = sha256Of('original');
    server.objects.set(keyOf(sha256), Buffer.from('something else'));
    await expect(store.put(sha256, { bytes: Buffer.from('original') })).rejects.toMatchObject({
      code: 'digest_mismatch',
    });
    expect(server.objects.get(keyOf(sha256))?.toString()).toBe('something else');
  });

  test('who writes need not be able to delete', async () => {
    await using store = s3({ deleteCredentials: undefined });
    await store.put(sha256Of('kept'), { bytes: Buffer.from('kept') });
    await expect(store.delete(sha256Of('kept'))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('AccessDenied'),
    });
    await using withDeleter = s3();
    await withDeleter.delete(sha256Of('kept'));
    expect(server.objects.has(keyOf(sha256Of('kept')))).toBe(false);
  });

  test('a wrong secret is told as what the store said, without the secret', async () => {
    await using store = s3({ credentials: { ...writer, secretAccessKey: 'wrong secret' } });
    const failed = store.put(sha256Of('x'), { bytes: Buffer.from('x') });
    await expect(failed).rejects.toMatchObject({ code: 'unavailable' });
    await expect(failed).rejects.not.toMatchObject({ message: expect.stringContaining('wrong secret') });
  });

  test('is opened by the configuration, with credentials from files', async () => {
    const [id, secret] = ['writer\n', 'secret of the writer\n'].map((text) => fileWith(text).file);
    const place = { endpoint: server.url, region: 'eu', bucket: 'backups', prefix: '', path_style: true };
    const files = { access_key_id_file: id, secret_access_key_file: secret };
    await using store = await openBlobs({ s3: { ...place, ...files } }, systemRandom);
    await store.put(sha256Of('configured'), { bytes: Buffer.from('configured') });
    expect(await read(store, sha256Of('configured'))).toBe('configured');
    const half = openBlobs({ s3: { ...place, access_key_id_file: id } }, systemRandom);
    await expect(half).rejects.toMatchObject({ code: 'bad_request' });
  });
});
