import { compareVersions } from '../../shared/release.ts';
import { PluginManifest } from '../../shared/plugin.ts';
import type { PluginRelease, ReleaseStore } from '../store/releases.ts';

type Plugins = Pick<ReleaseStore, 'plugins' | 'manifests'>;

/** The plugins of an organization by name, each in the version that counts there; with `name` that one alone. */
export async function pluginsOf(
  releases: Plugins,
  organizationId: string,
  name?: string,
): Promise<Map<string, PluginManifest>> {
  const counting = new Map<string, PluginRelease>();
  for (const row of await releases.plugins(organizationId, name)) {
    const before = counting.get(row.name);
    if (before === undefined || countsMore(row, before)) counting.set(row.name, row);
  }
  const chosen = [...counting.values()];
  const texts = await releases.manifests(chosen.map(({ id }) => id));
  return new Map(
    chosen.flatMap(({ id, name: plugin }) => {
      const text = texts.get(id);
      return text === undefined ? [] : [[plugin, PluginManifest.parse(JSON.parse(text))] as const];
    }),
  );
}

/** Promoted before not promoted, then newer before older; of the same version on several platforms the first. */
function countsMore(one: PluginRelease, other: PluginRelease): boolean {
  const isPromoted = one.promotedAt !== null;
  if (isPromoted !== (other.promotedAt !== null)) return isPromoted;
  return compareVersions(one.version, other.version) > 0;
}
