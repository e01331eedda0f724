import { z } from 'zod';
import { Sha256 } from '../../shared/manifest.ts';
import type { ManifestRow } from '../store/manifests.ts';
import type { Store } from '../store/store.ts';
import type { TaskRow } from '../store/tasks.ts';

const Ordered = z.object({ manifest: Sha256 });

/** The manifest that a SYNC names; undefined when it is not one of its device, or no longer kept. */
export async function manifestOf(
  { manifests }: Pick<Store, 'manifests'>,
  { deviceId, parameters }: Pick<TaskRow, 'deviceId' | 'parameters'>,
): Promise<ManifestRow | undefined> {
  const ordered = Ordered.safeParse(JSON.parse(parameters));
  return ordered.success ? manifests.get(deviceId, ordered.data.manifest) : undefined;
}
