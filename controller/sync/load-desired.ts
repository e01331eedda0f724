import { composeDesired, type Desired, targetMatcher } from '../content/desired.ts';
import { VariableSet } from '../content/variable-set.ts';
import type { Labels } from '../../shared/ids.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { SyncParts } from './parts.ts';

/** Reads what these devices are rendered from, once; then each can be asked for. The state is that of now: what changes later is not seen. */
export async function loadDesired(
  { store, renderer, profiles }: Pick<SyncParts, 'store' | 'renderer' | 'profiles'>,
  organizationId: string,
  devices: readonly { id: string; name: string; labels: Labels }[],
): Promise<(device: DeviceRow) => Desired> {
  const heads = (await store.bundles.all(organizationId)).map((row) => ({
    row,
    isFor: targetMatcher(row.targets),
  }));
  const used = heads.filter(({ isFor }) => devices.some(isFor));
  const bundles = await Promise.all(
    used.map(async (head) => ({ ...head, files: await store.bundles.files(head.row.id, head.row.revision) })),
  );
  const digests = bundles.flatMap(({ files }) => files.flatMap(({ template }) => template ?? []));
  const templates = await store.texts.getMany([...new Set(digests)]);
  const ids = devices.map(({ id }) => id);
  const variables = new VariableSet(await store.variables.forDevices(organizationId, ids));

  return (device) => {
    const own = bundles.filter(({ isFor }) => isFor(device));
    const profile = profiles.get(own[0]?.row.profile ?? '');
    return composeDesired({
      device,
      bundles: own,
      templates,
      variables: variables.for(device),
      profile,
      renderer,
    });
  };
}
