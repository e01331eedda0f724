import { describe, expect } from 'vitest';
import type { NewBundle } from '../../controller/store/bundles.ts';
import type { DeviceConfigRow } from '../../controller/store/device-configs.ts';
import type { ManifestRow } from '../../controller/store/manifests.ts';
import type { VariableRow } from '../../controller/store/variables.ts';
import type { Conform, World } from './world.ts';

const page = { page: 1, perPage: 10 };
const digest = (letter: string): string => letter.repeat(64);
const text = (letter: string) => ({ sha256: digest(letter), text: `text ${letter}` });

const bundle = (values: Partial<NewBundle> = {}): NewBundle => ({
  id: 'id',
  organizationId: 'home',
  name: 'base',
  profile: 'debian',
  description: '',
  targets: { all: true },
  files: [
    { path: '/etc/a', unit: 'files', template: digest('a'), mode: '0600', owner: 'root', group: 'adm' },
    { path: '/etc/b', unit: 'files', template: null, mode: null, owner: null, group: null },
  ],
  updatedBy: 'ops@example.org',
  ...values,
});

const variable = (values: Partial<VariableRow> = {}): VariableRow => ({
  organizationId: 'home',
  scope: 'organization',
  key: '',
  name: 'mtu',
  value: '1500',
  sealed: null,
  keyId: null,
  tag: null,
  updatedBy: 'ops@example.org',
  updatedAt: 1,
  ...values,
});

const config = (values: Partial<DeviceConfigRow> = {}): DeviceConfigRow => ({
  deviceId: 'fw',
  generation: 3,
  syncedContent: 'content',
  syncedGeneration: 2,
  syncedAt: 20,
  base: { files: 'state' },
  driftStatus: 'IN_SYNC',
  driftCheckedAt: 20,
  units: [{ unit: 'files', status: 'in_sync', message: '' }],
  error: null,
  ...values,
});

const manifest = (generation: number, values: Partial<ManifestRow & { texts: string[] }> = {}) => ({
  deviceId: 'fw',
  generation,
  sha256: digest('a'),
  bytes: 6,
  content: 'content',
  profileRev: 1,
  reason: 'sync' as const,
  createdAt: generation,
  texts: [digest('b')],
  ...values,
});

async function withTexts(world: World, ...letters: string[]): Promise<void> {
  await world.store.texts.put(letters.map(text), 1);
}

export const describeConfiguration = (conform: Conform) =>
  describe('configuration', () => {
    describeBundles(conform);
    describeVariables(conform);
    describeDeviceConfigs(conform);
    describeManifests(conform);
  });

function describeBundles(conform: Conform): void {
  conform('a bundle is read as it was put, in its organization', async (world) => {
    await withTexts(world, 'a');
    const { bundles } = world.store;
    expect(await bundles.put(bundle(), 5)).toBe(1);
    const { files, ...values } = bundle();
    expect(await bundles.get('home', 'base')).toEqual({
      ...values,
      revision: 1,
      fileCount: 2,
      createdAt: 5,
      updatedAt: 5,
    });
    expect(await bundles.files('id', 1)).toEqual(files);
    expect(await bundles.get('away', 'base')).toBeUndefined();
  });

  conform('each put makes a revision; earlier ones can be read', async (world) => {
    await withTexts(world, 'a');
    const { bundles } = world.store;
    await bundles.put(bundle(), 5);
    expect(await bundles.put(bundle({ id: 'other', description: 'second', files: [] }), 6)).toBe(2);
    expect(await bundles.get('home', 'base')).toMatchObject({ id: 'id', revision: 2, description: 'second' });
    expect(await bundles.get('home', 'base', 1)).toMatchObject({ revision: 1, createdAt: 5, updatedAt: 5 });
    expect(await bundles.get('home', 'base', 3)).toBeUndefined();
    expect(await bundles.files('id', 2)).toEqual([]);
    expect(await bundles.files('id', 1)).toHaveLength(2);
  });

  conform('the newest hundred revisions are kept', async (world) => {
    const { bundles } = world.store;
    for (let n = 0; n < 102; n++) await bundles.put(bundle({ files: [] }), n);
    expect(await bundles.get('home', 'base', 2)).toBeUndefined();
    expect(await bundles.get('home', 'base', 3)).toMatchObject({ revision: 3 });
  });

  conform('bundles are listed by name, and removed with all revisions', async (world) => {
    await withTexts(world, 'a');
    const { bundles } = world.store;
    for (const name of ['c', 'a', 'b']) await bundles.put(bundle({ id: name, name }), 1);
    await bundles.put(bundle({ id: 'x', organizationId: 'away' }), 1);
    const { items, total } = await bundles.list('home', { page: 1, perPage: 2 });
    expect(items.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(total).toBe(3);
    expect((await bundles.all('home')).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(await bundles.remove('away', 'a')).toBe(false);
    expect(await bundles.remove('home', 'a')).toBe(true);
    expect(await bundles.files('a', 1)).toEqual([]);
    expect(await bundles.count('home')).toBe(2);
  });

  conform('texts that something refers to outlive pruning', async (world) => {
    await world.device('fw');
    await withTexts(world, 'a', 'b', 'c', 'd', 'e');
    const { bundles, texts, manifests } = world.store;
    await bundles.put(bundle(), 1);
    await manifests.insert([manifest(1, { sha256: digest('b'), texts: [digest('c')] })]);
    await texts.put([text('d')], 50);
    expect(await texts.prune(50, 10)).toBe(1);
    const left = await texts.getMany(['a', 'b', 'c', 'd', 'e'].map(digest));
    expect([...left.values()].sort()).toEqual(['text a', 'text b', 'text c', 'text d']);
    expect(await texts.get(digest('e'))).toBeUndefined();
    await bundles.remove('home', 'base');
    expect(await texts.prune(50, 10)).toBe(1);
    expect(await texts.get(digest('a'))).toBeUndefined();
  });
}

function describeVariables(conform: Conform): void {
  conform('a variable is one value per scope and key', async ({ store: { variables } }) => {
    await variables.put(variable());
    await variables.put(variable({ scope: 'label', key: 'site=a', value: '9000' }));
    const secret = variable({ value: null, sealed: 'sealed', keyId: 'key', tag: 'tag', updatedAt: 2 });
    await variables.put(secret);
    expect(await variables.get(secret)).toEqual(secret);
    expect(await variables.get(variable({ organizationId: 'away' }))).toBeUndefined();
    expect(await variables.count('home')).toBe(2);
    expect(await variables.remove(secret)).toBe(true);
    expect(await variables.remove(secret)).toBe(false);
    expect(await variables.count('home')).toBe(1);
  });

  conform('variables are filtered by scope and key, and listed by name', async ({ store: { variables } }) => {
    await variables.put(variable({ name: 'b' }));
    await variables.put(variable({ name: 'a', scope: 'label', key: 'site=a' }));
    await variables.put(variable({ name: 'c', scope: 'label', key: 'site=b' }));
    const names = async (filter: object) =>
      (await variables.list({ organizationId: 'home', ...filter }, page)).items.map(({ name }) => name);
    expect(await names({})).toEqual(['a', 'b', 'c']);
    expect(await names({ scope: 'label' })).toEqual(['a', 'c']);
    expect(await names({ scope: 'label', key: 'site=b' })).toEqual(['c']);
  });

  conform('the variables of a device come with those of everybody, and go with it', async (world) => {
    const { variables } = world.store;
    for (const name of ['fw', 'other']) {
      await world.device(name);
      await variables.put(variable({ scope: 'device', key: name }));
    }
    await variables.put(variable());
    await variables.put(variable({ scope: 'label', key: 'site=a' }));
    const found = await variables.forDevices('home', ['fw']);
    expect(found.map(({ scope, key }) => `${scope} ${key}`)).toEqual([
      'device fw',
      'label site=a',
      'organization ',
    ]);
    await variables.removeDevice('fw');
    expect(await variables.forDevices('home', ['fw', 'other'])).toHaveLength(3);
  });
}

function describeDeviceConfigs(conform: Conform): void {
  conform(
    'what is known of a device is read as it was put; its generation never goes back',
    async (world) => {
      await world.device('fw');
      const { deviceConfigs } = world.store;
      expect(await deviceConfigs.getMany(['fw'])).toEqual(new Map());
      await deviceConfigs.put([config()]);
      expect((await deviceConfigs.getMany(['fw', 'x'])).get('fw')).toEqual(config());
      await deviceConfigs.put([config({ generation: 1, error: 'rolled back', driftStatus: 'ERROR' })]);
      expect((await deviceConfigs.getMany(['fw'])).get('fw')).toEqual(
        config({ error: 'rolled back', driftStatus: 'ERROR' }),
      );
    },
  );

  conform('generations count per device and are never given twice', async (world) => {
    await world.device('a');
    await world.device('b');
    const { deviceConfigs } = world.store;
    expect(await deviceConfigs.nextGenerations(['a', 'b', 'a'])).toEqual(
      new Map([
        ['a', 1],
        ['b', 1],
      ]),
    );
    const given = await Promise.all([1, 2, 3].map(() => deviceConfigs.nextGenerations(['a'])));
    expect(given.map((map) => map.get('a')).sort()).toEqual([2, 3, 4]);
    expect((await deviceConfigs.getMany(['b'])).get('b')).toMatchObject({
      driftStatus: 'NEVER_SYNCED',
      base: {},
      units: [],
    });
  });

  conform('drift shows with the device, and devices are found by it', async (world) => {
    for (const name of ['fw', 'new', 'drifting']) await world.device(name);
    const { deviceConfigs, devices } = world.store;
    await deviceConfigs.put([config(), config({ deviceId: 'drifting', driftStatus: 'DRIFT', syncedAt: 40 })]);
    expect(await devices.get('fw')).toMatchObject({
      driftStatus: 'IN_SYNC',
      driftCheckedAt: 20,
      syncedAt: 20,
      syncedContent: 'content',
    });
    expect(await devices.get('new')).toMatchObject({ driftStatus: 'NEVER_SYNCED', syncedAt: null });
    const found = async (filter: object) => {
      const asked = { organizationId: 'home', sortBy: 'name' as const, descending: false, ...filter };
      const { items, total } = await devices.list(asked, page);
      expect(total).toBe(items.length);
      return items.map(({ name }) => name);
    };
    expect(await found({ driftStatus: 'DRIFT' })).toEqual(['drifting']);
    expect(await found({ driftStatus: 'NEVER_SYNCED' })).toEqual(['new']);
    expect(await found({ syncedAfter: 20, syncedBefore: 40 })).toEqual(['fw']);
  });

  conform(
    'contents that were rolled back wait for a release, which the next roll-back ends',
    async (world) => {
      await world.device('fw');
      const { deviceConfigs } = world.store;
      const bad = (content: string, at: number) => ({ deviceId: 'fw', content, at, task: 't', reason: 'no' });
      await deviceConfigs.quarantine([bad('a', 1), bad('b', 2)]);
      expect(await deviceConfigs.release('fw', 'a', 5)).toEqual(['a']);
      expect(await deviceConfigs.release('fw', 'a', 5)).toEqual([]);
      expect(await deviceConfigs.rolledBack(['fw'])).toEqual([
        { ...bad('b', 2), releasedAt: null },
        { ...bad('a', 1), releasedAt: 5 },
      ]);
      await deviceConfigs.quarantine([bad('a', 7)]);
      expect(await deviceConfigs.release('fw', undefined, 9)).toEqual(['a', 'b']);
      await deviceConfigs.forget([{ deviceId: 'fw', content: 'a' }]);
      expect((await deviceConfigs.rolledBack(['fw'])).map(({ content }) => content)).toEqual(['b']);
      await deviceConfigs.quarantine(Array.from({ length: 60 }, (_, n) => bad(`c${n}`, 10 + n)));
      expect(await deviceConfigs.rolledBack(['fw'])).toHaveLength(50);
    },
  );
}

function describeManifests(conform: Conform): void {
  conform('a manifest is found by its text, its content, and as the newest', async (world) => {
    await world.device('fw');
    await withTexts(world, 'a', 'b', 'c');
    const { manifests } = world.store;
    const { texts: _, ...second } = manifest(2, { sha256: digest('c'), content: 'other' });
    await manifests.insert([manifest(1), { ...second, texts: [] }]);
    expect(await manifests.get('fw', digest('c'))).toEqual(second);
    expect(await manifests.get('other', digest('c'))).toBeUndefined();
    expect((await manifests.newest(['fw', 'other'])).get('fw')).toEqual(second);
    const found = await manifests.ofContents([{ deviceId: 'fw', content: 'content' }]);
    expect(found.get('fw')).toMatchObject({ generation: 1 });
    expect(await manifests.names('fw', digest('a'), digest('b'))).toBe(true);
    expect(await manifests.names('fw', digest('c'), digest('b'))).toBe(false);
  });

  conform('pruning keeps three manifests, the confirmed one, and all while a SYNC is open', async (world) => {
    await world.device('fw');
    await withTexts(world, 'a', 'b');
    const { manifests, deviceConfigs, tasks } = world.store;
    await manifests.insert([1, 2, 3, 4, 5, 6].map((generation) => manifest(generation)));
    await deviceConfigs.put([config({ syncedGeneration: 2 })]);
    const sync = await world.started({ type: 'SYNC', lane: 'exclusive' });
    expect(await manifests.prune(100, 10)).toEqual([]);
    await tasks.confirmCancelled([sync], 30);
    expect(await manifests.prune(3, 10)).toEqual([digest('a')]);
    expect(await manifests.prune(100, 10)).toEqual([digest('a')]);
    expect(await manifests.prune(100, 10)).toEqual([]);
    expect(await manifests.names('fw', digest('a'), digest('b'))).toBe(true);
  });
}
