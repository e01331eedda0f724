import { describe, expect } from 'vitest';
import type { DeviceFilter, HelloRow } from '../../controller/store/devices.ts';
import type { Conform, World } from './world.ts';

const hello = (values: Partial<HelloRow> = {}): HelloRow => ({
  deviceId: 'fw',
  agentVersion: '1.1.0',
  taskTypes: ['PING', 'SCRIPT'],
  slots: { read: 4, script: 2 },
  bootId: 'boot',
  instanceId: 'instance',
  epoch: 3,
  connection: 2,
  storeId: 'store-a',
  at: 50,
  ...values,
});

const taken = { name: 'AppError', code: 'name_taken' };

export const describeDevices = (conform: Conform) =>
  describe('devices', () => {
    conform('a device that has not said hello has empty fields', async (world) => {
      await world.device('fw', { labels: { site: 'a' }, createdAt: 9 });
      expect(await world.store.devices.get('fw')).toEqual({
        id: 'fw',
        organizationId: 'home',
        name: 'fw',
        status: 'ENABLED',
        publicKey: 'key of fw',
        nextPublicKey: null,
        keyWantedAt: null,
        keyRevokedAt: null,
        labels: { site: 'a' },
        agentVersion: '1.0.0',
        taskTypes: [],
        slots: {},
        facts: null,
        factsDigest: null,
        bootId: null,
        instanceId: null,
        epoch: 0,
        connection: 0,
        storeId: null,
        quarantinedAt: null,
        quarantineReason: null,
        lastSeenAt: null,
        driftStatus: 'NEVER_SYNCED',
        driftCheckedAt: null,
        syncedAt: null,
        syncedContent: null,
        createdAt: 9,
        updatedAt: 9,
      });
    });

    conform('a device is found by id, by name within its organization, and by key', async (world) => {
      const { devices } = world.store;
      await world.device('fw', { id: 'one' });
      await world.device('fw', { id: 'two', organizationId: 'away' });
      expect((await devices.byName('home', 'fw'))?.id).toBe('one');
      expect((await devices.byName('away', 'fw'))?.id).toBe('two');
      expect((await devices.byPublicKey('key of two'))?.id).toBe('two');
      expect((await devices.getMany(['two', 'one', 'nobody'])).map(({ id }) => id).sort()).toEqual([
        'one',
        'two',
      ]);
      expect(await devices.get('nobody')).toBeUndefined();
      expect(await devices.byName('home', 'nobody')).toBeUndefined();
      expect(await devices.byPublicKey('nobody')).toBeUndefined();
    });

    conform('a name or a key in use is refused', async (world) => {
      await world.device('fw');
      await world.device('other');
      await expect(world.device('fw', { id: 'x' })).rejects.toMatchObject(taken);
      await expect(
        world.device('new', { organizationId: 'away', publicKey: 'key of fw' }),
      ).rejects.toMatchObject(taken);
      await expect(world.store.devices.rename('other', 'fw', 5)).rejects.toMatchObject(taken);
      expect((await world.store.devices.get('other'))?.name).toBe('other');
    });

    conform('status, name, labels and quarantine change alone and say when', async (world) => {
      const { devices } = world.store;
      await world.device('fw', { status: 'PENDING' });
      await world.device('other');
      await devices.setStatus('fw', 'DISABLED', 1);
      await devices.rename('fw', 'gateway', 2);
      await devices.setLabels('fw', { a: 'b' }, 3);
      await devices.setQuarantine('fw', 'the key is used twice', 4);
      expect(await devices.get('fw')).toMatchObject({
        status: 'DISABLED',
        name: 'gateway',
        labels: { a: 'b' },
        quarantinedAt: 4,
        quarantineReason: 'the key is used twice',
        updatedAt: 4,
      });
      await devices.setQuarantine('fw', null, 5);
      expect(await devices.get('fw')).toMatchObject({
        quarantinedAt: null,
        quarantineReason: null,
        updatedAt: 5,
      });
      expect(await devices.get('other')).toMatchObject({ name: 'other', status: 'ENABLED', updatedAt: 0 });
    });

    conform(
      'a removed device is found nowhere, keeps its history, and frees its name and key',
      async (world) => {
        const { devices, tasks } = world.store;
        await world.device('fw', { id: '0190-12345678' });
        const [task] = await world.insert({ deviceId: '0190-12345678' });
        await devices.remove('0190-12345678', 5);
        await devices.setStatus('0190-12345678', 'ENABLED', 6);
        await devices.touch([{ deviceId: '0190-12345678', at: 6 }]);

        expect(await devices.get('0190-12345678')).toBeUndefined();
        expect(await devices.getMany(['0190-12345678'])).toEqual([]);
        expect(await devices.byName('home', 'fw')).toBeUndefined();
        expect(await devices.byPublicKey('key of 0190-12345678')).toBeUndefined();
        expect(await devices.brief('home')).toEqual([]);
        expect(await devices.count('home')).toBe(0);
        expect((await tasks.get('home', task?.code ?? ''))?.deviceName).toBe('fw__deleted__12345678');

        await world.device('fw', { id: 'next', publicKey: 'key of 0190-12345678' });
        await devices.remove('next', 7);
        await world.device('fw', { id: 'third', publicKey: 'key of 0190-12345678' });
        expect((await devices.byName('home', 'fw'))?.id).toBe('third');
      },
    );

    conform('brief lists the devices of one organization by name', async (world) => {
      await world.device('b', { labels: { site: 'x' }, status: 'PENDING' });
      await world.device('a');
      await world.device('c', { organizationId: 'away' });
      await world.store.devices.saveHellos([hello({ deviceId: 'a' })]);
      expect(await world.store.devices.brief('home')).toEqual([
        {
          id: 'a',
          name: 'a',
          status: 'ENABLED',
          labels: {},
          taskTypes: ['PING', 'SCRIPT'],
          agentVersion: '1.1.0',
        },
        {
          id: 'b',
          name: 'b',
          status: 'PENDING',
          labels: { site: 'x' },
          taskTypes: [],
          agentVersion: '1.0.0',
        },
      ]);
      expect(await world.store.devices.count('home')).toBe(2);
    });

    conform('a list is filtered by ids, status and every label', async (world) => {
      await world.device('a', { labels: { site: 'x', 'role/1.a-b': 'edge' } });
      await world.device('b', { labels: { site: 'x' }, status: 'PENDING' });
      await world.device('c', { labels: { site: 'y', '12': 'edge', 'role/1.a-b': 'core' } });
      await world.device('d', { organizationId: 'away', labels: { site: 'x' } });
      expect(await names(world, {})).toEqual(['a', 'b', 'c']);
      expect(await names(world, { ids: ['c', 'd', 'a'] })).toEqual(['a', 'c']);
      expect(await names(world, { ids: [] })).toEqual([]);
      expect(await names(world, { status: 'PENDING' })).toEqual(['b']);
      expect(await names(world, { labels: { site: 'x' } })).toEqual(['a', 'b']);
      expect(await names(world, { labels: { site: 'x', 'role/1.a-b': 'edge' } })).toEqual(['a']);
      expect(await names(world, { labels: { '12': 'edge' } })).toEqual(['c']);
      expect(await names(world, { labels: { site: '' } })).toEqual([]);
    });

    conform('a list is sorted by every field, both ways, with unknown heartbeats last', async (world) => {
      const { devices } = world.store;
      await world.device('a', { status: 'PENDING', createdAt: 3 });
      await world.device('b', { status: 'DISABLED', createdAt: 1 });
      await world.device('c', { status: 'ENABLED', createdAt: 2 });
      await devices.touch([
        { deviceId: 'b', at: 8 },
        { deviceId: 'c', at: 7 },
      ]);
      await devices.setStatus('b', 'DISABLED', 9);
      const orders: [DeviceFilter['sortBy'], string, string][] = [
        ['name', 'abc', 'cba'],
        ['status', 'bca', 'acb'],
        ['created_at', 'bca', 'acb'],
        ['updated_at', 'cab', 'bac'],
        ['heartbeat', 'cba', 'bca'],
      ];
      for (const [sortBy, up, down] of orders) {
        expect((await names(world, { sortBy })).join('')).toBe(up);
        expect((await names(world, { sortBy, descending: true })).join('')).toBe(down);
      }
    });

    conform('pages are cut from one order and tell the total', async (world) => {
      for (const name of ['c', 'a', 'b']) await world.device(name);
      const filter: DeviceFilter = { organizationId: 'home', sortBy: 'name', descending: false };
      const page = await world.store.devices.list(filter, { page: 2, perPage: 2 });
      expect(page.items.map(({ name }) => name)).toEqual(['c']);
      expect(page.total).toBe(3);
      expect(await world.store.devices.list(filter, { page: 9, perPage: 2 })).toEqual({
        items: [],
        total: 3,
      });
    });

    conform('a hello is stored with its database', async (world) => {
      await world.device('fw');
      await world.store.devices.saveHellos([hello()]);
      expect(await world.store.devices.get('fw')).toMatchObject({
        agentVersion: '1.1.0',
        taskTypes: ['PING', 'SCRIPT'],
        slots: { read: 4, script: 2 },
        bootId: 'boot',
        instanceId: 'instance',
        epoch: 3,
        connection: 2,
        storeId: 'store-a',
        lastSeenAt: 50,
        updatedAt: 50,
      });
      expect(await world.store.devices.deviceStores(['fw'])).toEqual([
        { deviceId: 'fw', storeId: 'store-a', appliedSeq: 0, supersededAt: null },
      ]);
    });

    conform('a newer database supersedes the older one, for its own device only', async (world) => {
      const { devices } = world.store;
      await world.device('fw');
      await world.device('other');
      await devices.saveHellos([hello(), hello({ deviceId: 'other' })]);
      await devices.advance([{ deviceId: 'fw', storeId: 'store-a', seq: 4 }]);
      await devices.saveHellos([hello({ storeId: 'store-b', at: 60 })]);
      await devices.saveHellos([hello({ storeId: 'store-b', at: 70, connection: 3 })]);
      expect(await devices.deviceStores(['fw', 'other', 'nobody'])).toEqual([
        { deviceId: 'fw', storeId: 'store-a', appliedSeq: 4, supersededAt: 60 },
        { deviceId: 'fw', storeId: 'store-b', appliedSeq: 0, supersededAt: null },
        { deviceId: 'other', storeId: 'store-a', appliedSeq: 0, supersededAt: null },
      ]);
    });

    conform(
      'of the databases that a device showed, the newest hundred superseded ones are remembered',
      async (world) => {
        const { devices } = world.store;
        await world.device('fw');
        await world.device('other');
        await devices.saveHellos([hello({ deviceId: 'other', storeId: 's' })]);
        await devices.saveHellos([hello({ deviceId: 'other', storeId: 't' })]);
        for (let at = 1; at <= 104; at += 1) await devices.saveHellos([hello({ storeId: `s-${at}`, at })]);
        const stores = (await devices.deviceStores(['fw'])).map(({ storeId }) => storeId);
        expect(stores).toHaveLength(101);
        expect(['s-1', 's-3', 's-4', 's-104'].map((id) => stores.includes(id))).toEqual([
          false,
          false,
          true,
          true,
        ]);
        expect(await devices.deviceStores(['other'])).toHaveLength(2);
      },
    );

    conform('of several hellos of one device in one call, the last holds', async (world) => {
      await world.device('fw');
      await world.store.devices.saveHellos([
        hello({ storeId: 'store-b', connection: 1 }),
        hello({ connection: 2, at: 55 }),
      ]);
      expect(await world.store.devices.get('fw')).toMatchObject({ connection: 2, storeId: 'store-a' });
      expect(await world.store.devices.deviceStores(['fw'])).toMatchObject([
        { storeId: 'store-a', supersededAt: null },
        { storeId: 'store-b', supersededAt: 55 },
      ]);
    });

    conform('a hello of an unknown or removed device changes nothing', async (world) => {
      await world.device('fw');
      await world.store.devices.remove('fw', 5);
      await world.store.devices.saveHellos([hello(), hello({ deviceId: 'nobody' })]);
      expect(await world.store.devices.deviceStores(['fw', 'nobody'])).toEqual([]);
    });

    conform('the applied sequence rises and never falls, also within one call', async (world) => {
      const { devices } = world.store;
      await world.device('fw');
      await devices.saveHellos([hello()]);
      const advance = (...seqs: number[]) =>
        devices.advance(seqs.map((seq) => ({ deviceId: 'fw', storeId: 'store-a', seq })));
      const applied = async () => (await devices.deviceStores(['fw']))[0]?.appliedSeq;
      await advance(3, 9, 5);
      expect(await applied()).toBe(9);
      await advance(8);
      expect(await applied()).toBe(9);
      await devices.advance([{ deviceId: 'fw', storeId: 'unknown', seq: 99 }]);
      await devices.saveHellos([hello({ connection: 4 })]);
      expect(await applied()).toBe(9);
    });

    conform('facts are stored with their digest, the newest only', async (world) => {
      await world.device('fw');
      await world.store.devices.saveFacts('fw', 'd1', { os: 'debian' }, 5);
      await world.store.devices.saveFacts('fw', 'd2', { os: 'bsd', cpus: [1, 2] }, 6);
      expect(await world.store.devices.get('fw')).toMatchObject({
        facts: { os: 'bsd', cpus: [1, 2] },
        factsDigest: 'd2',
        updatedAt: 6,
      });
    });

    conform('enabled devices of all organizations are counted, removed ones not', async (world) => {
      for (const id of ['a', 'b', 'c', 'd']) await world.device(id);
      await world.store.devices.setStatus('b', 'DISABLED', 1);
      await world.store.devices.remove('c', 1);
      expect(await world.store.devices.countEnabled()).toBe(2);
    });

    conform('a sign of life sets the heartbeat of these devices only', async (world) => {
      await world.device('fw');
      await world.device('other');
      await world.store.devices.touch([
        { deviceId: 'fw', at: 77 },
        { deviceId: 'nobody', at: 78 },
      ]);
      expect(await world.store.devices.get('fw')).toMatchObject({ lastSeenAt: 77, updatedAt: 0 });
      expect(await world.store.devices.get('other')).toMatchObject({ lastSeenAt: null });
    });
  });

async function names({ store }: World, filter: Partial<DeviceFilter>): Promise<string[]> {
  const complete: DeviceFilter = { organizationId: 'home', sortBy: 'name', descending: false, ...filter };
  const { items, total } = await store.devices.list(complete, { page: 1, perPage: 100 });
  expect(total).toBe(items.length);
  return items.map(({ name }) => name);
}
