import { describe, expect } from 'vitest';
import type { NewArchive } from '../../controller/store/archives.ts';
import type { SnapshotRow } from '../../controller/store/snapshots.ts';
import type { Conform, World } from './world.ts';

const digest = (letter: string) => letter.repeat(64);
const blob = (letter: string, size = 3) => ({ sha256: digest(letter), size });
const ref = (letter: string, holder: string) => ({
  sha256: digest(letter),
  kind: 'snapshot' as const,
  holder,
});

const snapshot = (values: Partial<SnapshotRow> = {}): SnapshotRow => ({
  deviceId: 'fw',
  organizationId: 'home',
  version: 1,
  reason: 'first',
  ruleset: 'rules 1',
  profile: 'debian@1',
  viewSha256: digest('a'),
  bytes: 10,
  rawSha256: null,
  units: [{ unit: 'nftables', status: 'in_sync', files: 1, bytes: 10, state: 's' }],
  firstSeenAt: 5,
  lastSeenAt: 5,
  task: 't1',
  ...values,
});

const archive = (values: Partial<NewArchive> = {}): NewArchive => ({
  id: 'a1',
  organizationId: 'home',
  deviceId: 'fw',
  task: `task of ${values.id ?? 'a1'}`,
  size: 100,
  sha256: digest('b'),
  manifestSha256: digest('c'),
  content: 'content',
  files: 2,
  madeAt: 4,
  storedAt: 5,
  recipients: ['age1x', 'age1y'],
  statement: '{}',
  signature: 'sig',
  deviceKey: 'key',
  ...values,
});

const paging = { page: 1, perPage: 10 };

export const describeContent = (conform: Conform) =>
  describe('content', () => {
    describeBlobs(conform);
    describeSnapshots(conform);
    describeArchives(conform);
    describeBackupConfigs(conform);
  });

function describeBlobs(conform: Conform): void {
  conform('a blob that is stored again keeps its size and counts as fresh', async ({ store }) => {
    expect(await store.blobs.note(blob('a'), 10)).toBe(true);
    expect(await store.blobs.note(blob('a'), 20)).toBe(true);
    expect(await store.blobs.get(digest('a'))).toEqual({ ...blob('a'), storedAt: 20 });
    expect(await store.blobs.touch(digest('a'), 30)).toBe(true);
    expect((await store.blobs.get(digest('a')))?.storedAt).toBe(30);
    expect(await store.blobs.touch(digest('b'), 30)).toBe(false);
    expect(await store.blobs.get(digest('b'))).toBeUndefined();
  });

  conform('only what nobody holds and what is old is condemned', async ({ store }) => {
    for (const letter of ['a', 'b', 'c']) await store.blobs.note(blob(letter), 10);
    await store.blobs.hold([ref('a', 'one'), ref('a', 'two')], 10);
    await store.blobs.note(blob('d'), 100);
    expect(await store.blobs.condemn(100, 100, 10)).toEqual([digest('b'), digest('c')]);
    await store.blobs.release('snapshot', ['one']);
    expect(await store.blobs.condemn(100, 100, 10)).toEqual([digest('b'), digest('c')]);
    await store.blobs.release('snapshot', ['two']);
    expect(await store.blobs.condemn(101, 200, 10)).toEqual(
      ['a', 'b', 'c', 'd'].map(digest).sort((left, right) => order(left) - order(right)),
    );
  });

  const order = (sha256: string) => ['b', 'c', 'a', 'd'].indexOf(sha256.slice(0, 1));

  conform(
    'a condemned blob is absent until its bytes are gone, and can be stored again then',
    async (world) => {
      const { blobs } = world.store;
      await blobs.note(blob('a'), 10);
      await blobs.condemn(100, 100, 10);
      expect(await blobs.get(digest('a'))).toBeUndefined();
      expect(await blobs.note(blob('a'), 110)).toBe(false);
      expect(await blobs.touch(digest('a'), 110)).toBe(false);
      await expect(blobs.hold([ref('a', 'one')], 110)).rejects.toMatchObject({ code: 'conflict' });
      await blobs.forget([digest('a')]);
      expect(await blobs.note(blob('a'), 120)).toBe(true);
      expect(await blobs.condemn(100, 130, 10)).toEqual([]);
    },
  );

  conform('what is not marked is not forgotten', async ({ store }) => {
    await store.blobs.note(blob('a'), 10);
    await store.blobs.forget([digest('a')]);
    expect(await store.blobs.get(digest('a'))).toBeDefined();
  });

  conform('holding is all or nothing, keeps old blobs fresh, and twice is once', async ({ store }) => {
    await store.blobs.note(blob('a'), 10);
    await expect(store.blobs.hold([ref('a', 'one'), ref('b', 'one')], 20)).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await store.blobs.heldBy('snapshot', 'one')).toEqual([]);
    await store.blobs.hold([ref('a', 'one'), ref('a', 'one')], 20);
    await store.blobs.hold([ref('a', 'one')], 30);
    expect(await store.blobs.heldBy('snapshot', 'one')).toEqual([digest('a')]);
    expect(await store.blobs.heldBy('archive', 'one')).toEqual([]);
    expect((await store.blobs.get(digest('a')))?.storedAt).toBe(30);
  });

  conform('uploads are let go when their task has ended', async (world) => {
    const { store } = world;
    await world.device('fw');
    const running = await world.started({ code: 'running1' });
    const ended = await world.completed({ code: 'ended001' });
    await store.blobs.note(blob('a'), 10);
    const holders = [`${running.code}/view`, `${ended.code}/view`, 'neverwas/raw'];
    await store.blobs.hold(
      holders.map((holder) => ({ sha256: digest('a'), kind: 'upload' as const, holder })),
      10,
    );
    expect(await store.blobs.releaseEndedUploads()).toBe(2);
    expect(await store.blobs.heldBy('upload', `${running.code}/view`)).toEqual([digest('a')]);
    expect(await store.blobs.heldBy('upload', `${ended.code}/view`)).toEqual([]);
  });

  conform('bytes that were found are adopted once, and all are counted', async ({ store }) => {
    await store.blobs.note(blob('a', 5), 10);
    await store.blobs.adopt([
      { ...blob('a', 5), storedAt: 1 },
      { ...blob('b', 7), storedAt: 2 },
    ]);
    expect((await store.blobs.get(digest('a')))?.storedAt).toBe(10);
    expect((await store.blobs.get(digest('b')))?.storedAt).toBe(2);
    expect(await store.blobs.total()).toEqual({ blobs: 2, bytes: 12 });
  });
}

function describeSnapshots(conform: Conform): void {
  conform('versions are per device, the newest first', async (world) => {
    const { snapshots } = world.store;
    for (const name of ['fw', 'other']) await world.device(name);
    expect(await snapshots.newest('fw')).toBeUndefined();
    await snapshots.insert(snapshot());
    const second = snapshot({ version: 2, reason: 'changed', rawSha256: digest('e'), task: null });
    await snapshots.insert(second);
    await snapshots.insert(snapshot({ deviceId: 'other' }));
    expect(await snapshots.newest('fw')).toEqual(second);
    expect(await snapshots.get('fw', 1)).toEqual(snapshot());
    expect(await snapshots.get('fw', 3)).toBeUndefined();
    const { items, total } = await snapshots.list('fw', { page: 2, perPage: 1 });
    expect([total, items.map(({ version }) => version)]).toEqual([2, [1]]);
    await expect(snapshots.insert(snapshot())).rejects.toThrow();
  });

  conform('old versions are deleted by number, and by number and age, of one device', async (world) => {
    await world.device('fw');
    await world.device('other');
    const { snapshots } = world.store;
    for (const version of [1, 2, 3, 4, 5])
      await snapshots.insert(snapshot({ version, lastSeenAt: version * 10 }));
    await snapshots.insert(snapshot({ deviceId: 'other' }));
    expect(await snapshots.prune('fw', { always: -5, ifOld: 0, before: 100 })).toEqual([]);
    expect(await snapshots.prune('fw', { always: 1, ifOld: 4, before: 30 })).toEqual([1, 2]);
    const { items } = await snapshots.list('fw', { page: 1, perPage: 10 });
    expect(items.map(({ version }) => version)).toEqual([5, 4, 3]);
    expect(await snapshots.newest('other')).toBeDefined();
  });

  conform('last_seen only moves forward', async (world) => {
    const { snapshots } = world.store;
    await world.device('fw');
    await snapshots.insert(snapshot());
    await snapshots.seen('fw', 1, 50);
    await snapshots.seen('fw', 1, 40);
    expect(await snapshots.get('fw', 1)).toMatchObject({ firstSeenAt: 5, lastSeenAt: 50 });
  });

  conform('a version can get another original', async (world) => {
    const { snapshots } = world.store;
    await world.device('fw');
    await snapshots.insert(snapshot());
    await snapshots.setRaw('fw', 1, digest('e'));
    expect(await snapshots.get('fw', 1)).toEqual(snapshot({ rawSha256: digest('e') }));
  });
}

async function threeArchives(world: World): Promise<void> {
  for (const name of ['fw', 'other']) await world.device(name);
  await world.store.archives.insert(archive());
  await world.store.archives.insert(archive({ id: 'a2', storedAt: 10 }));
  await world.store.archives.insert(
    archive({ id: 'a3', deviceId: 'other', storedAt: 7, sha256: digest('d') }),
  );
}

function describeArchives(conform: Conform): void {
  conform(
    'an archive is read as it was stored, with the names of its device and organization',
    async (world) => {
      await threeArchives(world);
      expect(await world.store.archives.get('home', 'a1')).toEqual({
        ...archive(),
        deviceName: 'fw',
        organizationName: 'home',
        readableAt: null,
        restorableAt: null,
        verifiedAt: 5,
        unchangedAt: null,
        damagedAt: null,
        damage: null,
      });
      expect(await world.store.archives.get('away', 'a1')).toBeUndefined();
      expect((await world.store.archives.byTask('task of a2'))?.id).toBe('a2');
      expect((await world.store.archives.withBytes('fw', digest('b'))).map(({ id }) => id)).toEqual([
        'a2',
        'a1',
      ]);
      await expect(world.store.archives.insert(archive({ id: 'a9', task: 'task of a1' }))).rejects.toThrow();
    },
  );

  conform('lists are filtered by device and level, the newest first', async (world) => {
    const { archives } = world.store;
    await threeArchives(world);
    await archives.note('a1', { kind: 'readable' }, 20);
    await archives.note('a3', { kind: 'restorable' }, 20);
    const ids = async (filter: object) =>
      (await archives.list({ organizationId: 'home', ...filter }, paging)).items.map(({ id }) => id);
    expect(await ids({})).toEqual(['a2', 'a3', 'a1']);
    expect(await ids({ deviceIds: ['fw'] })).toEqual(['a2', 'a1']);
    expect(await ids({ level: 'stored' })).toEqual(['a2']);
    expect(await ids({ level: 'readable' })).toEqual(['a1']);
    expect(await ids({ level: 'restorable' })).toEqual(['a3']);
    expect(await ids({ organizationId: 'away' })).toEqual([]);
    expect((await archives.all('home')).map(({ id }) => id)).toEqual(['a1', 'a2', 'a3']);
    expect((await archives.all('home', 'other')).map(({ id }) => id)).toEqual(['a3']);
    expect(await archives.organizations()).toEqual(['home']);
  });

  conform('the newest proven is per device and never a damaged one', async (world) => {
    const { archives } = world.store;
    await threeArchives(world);
    const proven = async () => (await archives.newestProven(['fw', 'other'])).map(({ id }) => id);
    expect(await proven()).toEqual([]);
    for (const id of ['a1', 'a2', 'a3']) await archives.note(id, { kind: 'readable' }, 20);
    expect(await proven()).toEqual(['a2', 'a3']);
    await archives.note('a2', { kind: 'damaged', damage: 'other bytes' }, 30);
    expect(await proven()).toEqual(['a1', 'a3']);
    await archives.note('a2', { kind: 'verified' }, 40);
    expect(await proven()).toEqual(['a2', 'a3']);
  });

  conform('the first damage keeps its time until a proof succeeds', async (world) => {
    const { archives } = world.store;
    await threeArchives(world);
    await archives.note('a1', { kind: 'damaged', damage: 'shorter' }, 30);
    await archives.note('a1', { kind: 'damaged', damage: 'gone' }, 40);
    expect(await archives.get('home', 'a1')).toMatchObject({ damagedAt: 30, damage: 'gone', verifiedAt: 5 });
    await archives.note('a1', { kind: 'unchanged' }, 45);
    await archives.note('a1', { kind: 'verified' }, 50);
    expect(await archives.get('home', 'a1')).toMatchObject({
      damagedAt: null,
      damage: null,
      verifiedAt: 50,
      unchangedAt: 45,
    });
  });

  conform('only archives of the organization are removed', async (world) => {
    const { archives } = world.store;
    await threeArchives(world);
    expect(await archives.remove('away', ['a1'])).toEqual([]);
    expect((await archives.remove('home', ['a1', 'a3', 'a7'])).sort()).toEqual(['a1', 'a3']);
    expect((await archives.all('home')).map(({ id }) => id)).toEqual(['a2']);
  });
}

function describeBackupConfigs(conform: Conform): void {
  conform('the last configuration of an organization counts', async ({ store }) => {
    expect(await store.backupConfigs.get('home')).toBeUndefined();
    await store.backupConfigs.set('home', '{"a":1}', 10);
    await store.backupConfigs.set('home', '{"a":2}', 20);
    expect(await store.backupConfigs.get('home')).toBe('{"a":2}');
    expect(await store.backupConfigs.get('away')).toBeUndefined();
  });

  conform('a plan is applied once, by its own organization', async ({ store }) => {
    const plan = { organizationId: 'home', digest: 'd', archives: ['a1', 'a2'], createdAt: 10 };
    await store.backupConfigs.keepPlan(plan);
    await store.backupConfigs.keepPlan({ ...plan, createdAt: 20 });
    expect(await store.backupConfigs.plan('home', 'd')).toEqual({ ...plan, createdAt: 20, appliedAt: null });
    expect(await store.backupConfigs.plan('away', 'd')).toBeUndefined();
    expect(await store.backupConfigs.planApplied('away', 'd', 30)).toBe(false);
    expect(await store.backupConfigs.planApplied('home', 'd', 30)).toBe(true);
    expect(await store.backupConfigs.planApplied('home', 'd', 40)).toBe(false);
    expect(await store.backupConfigs.prunePlans(20)).toBe(0);
    expect(await store.backupConfigs.prunePlans(21)).toBe(1);
  });
}
