import { describe, expect } from 'vitest';
import type { NewRelease } from '../../controller/store/releases.ts';
import type { Conform, World } from './world.ts';

const agent = { organizationId: 'home', name: 'muster-agent', platform: 'linux-x64' };
const plugin = { organizationId: 'home', name: 'netdiag', platform: 'any' };
const paging = { page: 1, perPage: 10 };

let made = 0;
async function insert({ store }: World, values: Partial<NewRelease> = {}) {
  made += 1;
  const row: NewRelease = {
    ...agent,
    id: `release ${made}`,
    version: '1.0.0',
    floor: '0.0.0',
    bytes: 5,
    sha256: 'a'.repeat(64),
    signature: 'signature',
    keyId: '0011223344556677',
    plugin: null,
    createdBy: 'ops@example.org',
    createdAt: made,
    ...values,
  };
  await store.releases.insert(row);
  const kept = await store.releases.get(row, row.version);
  if (kept === undefined) throw new Error(`release ${row.version} of ${row.name} is not there`);
  return kept;
}

export const describeReleases = (conform: Conform) =>
  describe('releases', () => {
    conform('a version is there once per name, platform and organization', async (world) => {
      await insert(world);
      await insert(world, plugin);
      await insert(world, { ...plugin, platform: 'linux-x64' });
      await insert(world, { organizationId: 'away' });
      await expect(insert(world, plugin)).rejects.toMatchObject({
        code: 'name_taken',
        message: expect.stringContaining('1.0.0 of netdiag for any'),
      });
      const { items, total } = await world.store.releases.list('home', paging);
      expect(total).toBe(3);
      expect(items.map(({ name, platform }) => [name, platform])).toEqual([
        ['netdiag', 'linux-x64'],
        ['netdiag', 'any'],
        ['muster-agent', 'linux-x64'],
      ]);
      expect(await world.store.releases.ofVersion('home', 'netdiag', '1.0.0')).toHaveLength(2);
    });

    conform('promoting takes the place of what was promoted under the same name only', async (world) => {
      const { releases } = world.store;
      await releases.promote(await insert(world), 1);
      await releases.promote(await insert(world, plugin), 2);
      await releases.promote(await insert(world, { ...plugin, version: '1.1.0' }), 3);
      expect(await releases.promoted(agent)).toMatchObject({ version: '1.0.0', promotedAt: 1 });
      expect(await releases.promoted(plugin)).toMatchObject({ version: '1.1.0', promotedAt: 3 });
      expect(await releases.get(plugin, '1.0.0')).toMatchObject({ promotedAt: null });
    });

    conform('a yanked release is promoted no more, and its plugin is not listed', async (world) => {
      const { releases } = world.store;
      const row = await insert(world, { ...plugin, plugin: '{}' });
      await releases.promote(row, 1);
      await releases.yank(row, 2);
      await releases.promote(row, 3);
      await releases.yank(row, 4);
      expect(await releases.get(plugin, '1.0.0')).toMatchObject({ promotedAt: null, yankedAt: 2 });
      expect(await releases.plugins('home')).toEqual([]);
    });

    conform('plugins are listed with their manifests apart, and never the agent', async (world) => {
      const { releases } = world.store;
      await insert(world);
      const { id } = await insert(world, { ...plugin, plugin: '{"name":"netdiag"}' });
      const other = await insert(world, { ...plugin, name: 'other', plugin: '{"name":"other"}' });
      await insert(world, { ...plugin, organizationId: 'away', plugin: '{}' });
      expect(await releases.plugins('home', 'netdiag')).toEqual([
        { id, name: 'netdiag', version: '1.0.0', platform: 'any', promotedAt: null },
      ]);
      expect((await releases.plugins('home')).map(({ name }) => name)).toEqual(['netdiag', 'other']);
      expect(await releases.manifests([id, other.id])).toEqual(
        new Map([
          [id, '{"name":"netdiag"}'],
          [other.id, '{"name":"other"}'],
        ]),
      );
      expect(await releases.manifests([])).toEqual(new Map());
    });
  });
