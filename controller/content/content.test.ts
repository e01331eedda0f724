import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { emptyDatabase, openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { silentLogger } from '../../shared/node/logger.ts';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { systemRandom } from '../../shared/node/system-clock.ts';
import { sha256Of } from '../../test/harness/api-device.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import type { BlobStore } from './blobs.ts';
import { type Content, createContent } from './content.ts';
import { DiskBlobs } from './disk-blobs.ts';

const dayMs = 86_400_000;
let folder: { path: string } & Disposable;
let store: Store;
let clock: TestClock;
let disk: DiskBlobs;

beforeEach(async () => {
  folder = temporaryFolder('content');
  store = await openStore({ dialect: 'sqlite', database: openSqlite(await emptyDatabase()) });
  await store.access.insertOrganization({ id: 'home', name: 'home', displayName: 'home', createdAt: 0 });
  clock = new TestClock();
  disk = await DiskBlobs.open(join(folder.path, 'blobs'), systemRandom);
});
afterEach(async () => {
  await store.close();
  folder[Symbol.dispose]();
});

const contentOver = (bytes: BlobStore, backupRetention: 'off' | 'plan' | 'apply' = 'off'): Content =>
  createContent({
    bytes,
    store,
    clock,
    random: systemRandom,
    log: silentLogger(),
    uploadsFolder: join(folder.path, 'uploads'),
    backupRetention,
  });
const content = () => contentOver(disk);
const collect = (one = content()) => one.houseKeep(new AbortController().signal);
const isOnDisk = (text: string) =>
  existsSync(join(folder.path, 'blobs', sha256Of(text).slice(0, 2), sha256Of(text)));
const hold = (text: string) =>
  store.blobs.hold([{ sha256: sha256Of(text), kind: 'snapshot', holder: 'fw/1' }], clock.now());

/** The disk, with something that happens just before or after one of its operations. */
const diskWith = (over: Partial<BlobStore>): BlobStore => ({
  put: (...args) => disk.put(...args),
  size: (sha256) => disk.size(sha256),
  read: (...args) => disk.read(...args),
  delete: (sha256) => disk.delete(sha256),
  list: () => disk.list(),
  [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose](),
  ...over,
});

describe('blobs that nobody holds', () => {
  test('stay a day, and go then', async () => {
    await content().blobs.keep('held');
    await content().blobs.keep('loose');
    await hold('held');
    await clock.advance(dayMs - 1);
    await collect();
    expect(isOnDisk('loose')).toBe(true);
    await clock.advance(2);
    await collect();
    expect([isOnDisk('held'), isOnDisk('loose')]).toEqual([true, false]);
    await expect(content().blobs.text(sha256Of('loose'), 100)).rejects.toMatchObject({ code: 'not_found' });
    expect(await content().blobs.text(sha256Of('held'), 100)).toBe('held');
  });

  test('are fresh again when they are kept again', async () => {
    await content().blobs.keep('again');
    await clock.advance(dayMs + 1);
    await content().blobs.keep('again');
    await collect();
    expect(isOnDisk('again')).toBe(true);
  });

  test('are gone after a crash in the middle of deleting them, too', async () => {
    await content().blobs.keep('loose');
    await clock.advance(dayMs + 1);
    const crashing = contentOver(diskWith({ delete: () => Promise.reject(new Error('crash')) }));
    await expect(collect(crashing)).rejects.toThrow('crash');
    expect(isOnDisk('loose')).toBe(true);
    await expect(hold('loose')).rejects.toMatchObject({ code: 'conflict' });
    await collect();
    expect(isOnDisk('loose')).toBe(false);
  });

  test('that are stored again while they are deleted are whole afterwards', async () => {
    await content().blobs.keep('contested');
    await clock.advance(dayMs + 1);
    let kept: Promise<string> | undefined;
    const contested = contentOver(
      diskWith({
        delete: async (sha256) => {
          kept ??= content().blobs.keep('contested');
          await disk.put(sha256, { bytes: Buffer.from('contested') });
          await disk.delete(sha256);
        },
      }),
    );
    await collect(contested);
    while (!isOnDisk('contested')) await clock.advance(250);
    await kept;
    await hold('contested');
    expect(await content().blobs.text(sha256Of('contested'), 100)).toBe('contested');
  });

  test('are found when a crash left bytes without a row', async () => {
    await disk.put(sha256Of('stray'), { bytes: Buffer.from('stray') });
    await clock.advance(Date.now() + 2 * dayMs - clock.now());
    await collect();
    expect(isOnDisk('stray')).toBe(false);
  });

  test('whose bytes were just stored are not taken for strays', async () => {
    await clock.advance(Date.now() - clock.now());
    await disk.put(sha256Of('fresh'), { bytes: Buffer.from('fresh') });
    await collect();
    expect(isOnDisk('fresh')).toBe(true);
  });
});

test('a blob whose bytes are lost is told as lost', async () => {
  await content().blobs.keep('lost');
  rmSync(join(folder.path, 'blobs', sha256Of('lost').slice(0, 2), sha256Of('lost')));
  await expect(content().blobs.open(sha256Of('lost'))).rejects.toMatchObject({ code: 'digest_mismatch' });
  await expect(content().blobs.text(sha256Of('lost'), 1)).rejects.toMatchObject({
    code: 'payload_too_large',
  });
});

describe('retention that nobody asked for', () => {
  beforeEach(async () => {
    const rules = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    await store.backupConfigs.set('home', JSON.stringify({ retention: rules }), 0);
    await store.devices.insert({
      id: 'fw',
      organizationId: 'home',
      name: 'fw',
      status: 'ENABLED',
      publicKey: 'key',
      labels: {},
      agentVersion: '1',
      createdAt: 0,
    });
    for (const [at, id] of ['old', 'new'].entries()) {
      await store.archives.insert({
        id,
        organizationId: 'home',
        deviceId: 'fw',
        task: id,
        size: 1,
        sha256: sha256Of(id),
        manifestSha256: sha256Of('m'),
        content: id,
        files: 1,
        madeAt: at,
        storedAt: at,
        recipients: [],
        statement: '',
        signature: '',
        deviceKey: '',
      });
      await store.archives.note(id, { kind: 'readable' }, at);
    }
  });
  const left = async () => (await store.archives.all('home')).map(({ id }) => id);

  test.each([
    ['off', ['old', 'new']],
    ['plan', ['old', 'new']],
    ['apply', ['new']],
  ] as const)('with %s leaves %s', async (mode, expected) => {
    await collect(contentOver(disk, mode));
    expect(await left()).toEqual(expected);
    const audit = await store.audit.list({ organizationId: 'home' }, { page: 1, perPage: 10 });
    expect(audit.items.map(({ actor, action }) => [actor, action])).toEqual(
      mode === 'apply' ? [['controller', 'backup.retention']] : [],
    );
  });
});
