import { readFile } from 'node:fs/promises';
import { matchesGlob } from '../../shared/glob.ts';
import type { ArchiveManifest } from '../../shared/task-types/backup.ts';

type ManifestFile = ArchiveManifest['files'][number];

/** Tells secret files: those that only their owner may read, and those that the shipped profile calls secret. */
export async function secretFilesOf(profile: string): Promise<(file: ManifestFile) => boolean> {
  const units = await shippedUnits(profile);
  return ({ path, unit, mode }) =>
    (Number.parseInt(mode, 8) & 0o077) === 0 ||
    (units?.get(unit ?? '') ?? []).some(({ glob, secret }) => secret && matchesGlob(glob, path));
}

async function shippedUnits(profile: string) {
  // The name comes out of an archive.
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(profile)) return undefined;
  const file = new URL(`../../shared/profiles/${profile}.yaml`, import.meta.url);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
  const [{ parse }, { DeviceProfile }] = await Promise.all([
    import('yaml'),
    import('../../shared/device-profile.ts'),
  ]);
  const { data } = DeviceProfile.safeParse(parse(text, { schema: 'core' }));
  return data && new Map(data.units.map(({ name, paths }) => [name, paths]));
}
