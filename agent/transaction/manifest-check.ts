import { createHash } from 'node:crypto';
import type { DeviceProfile, ManagedPath, Unit } from '../../shared/device-profile.ts';
import { matchesGlob } from '../../shared/glob.ts';
import { contentText, Manifest, type ManifestFile } from '../../shared/manifest.ts';
import type { SyncParameters } from '../../shared/task-types/sync.ts';
import { isOwnPath } from './own-paths.ts';
import { rejected } from './sync-error.ts';
import type { TransactionParts } from './transaction-parts.ts';

/** A manifest of this very device that its profile allows, and what the profile says of each path. */
export interface CheckedManifest {
  manifest: Manifest;
  /** Digest of what is applied, whatever the generation. */
  content: string;
  /** By path. */
  managed: ReadonlyMap<string, { unit: Unit; path: ManagedPath }>;
}

/** Of all files of one manifest: configuration, no bulk data. */
const maxTotalBytes = 67_108_864;

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Holds the text against the signed order, the device and its profile. Throws `rejected_verify` for the first thing that is not as it must be. */
export async function checkManifest(
  text: string,
  parameters: Pick<SyncParameters, 'manifest' | 'generation'>,
  parts: Pick<TransactionParts, 'device' | 'profile' | 'machine' | 'ownPaths'>,
): Promise<CheckedManifest> {
  const digest = digestOf(text);
  require(digest ===
    parameters.manifest, `The manifest is ${digest}; the order names ${parameters.manifest}`);
  const manifest = parseManifest(text);
  const { device, profile, machine, ownPaths } = parts;
  require(manifest.device ===
    device.id, `The manifest is for device ${manifest.device}; this is device ${device.id}`);
  require(manifest.profile.id === profile.id &&
    manifest.profile.rev ===
      profile.rev, `The manifest is for profile ${manifest.profile.id} revision ${manifest.profile.rev}; this device has ${profile.id} revision ${profile.rev}`);
  require(manifest.generation ===
    parameters.generation, `The manifest is of generation ${manifest.generation}; the order names ${parameters.generation}`);
  const confirmed = await machine.confirmed();
  require(confirmed === undefined ||
    manifest.generation >
      confirmed.generation, `The manifest is of generation ${manifest.generation}; generation ${confirmed?.generation} is confirmed on this device, and only newer ones are taken`);
  const managed = checkPaths(manifest, profile);
  for (const path of managed.keys()) await refuseOwn(path, ownPaths, machine);
  return { manifest, content: digestOf(contentText(manifest)), managed };
}

/** The part of a profile that a path belongs to. */
export function findManaged(
  path: string,
  units: readonly Unit[],
): { unit: Unit; path: ManagedPath } | undefined {
  for (const unit of units) {
    const managed = unit.paths.find(({ glob }) => matchesGlob(glob, path));
    if (managed) return { unit, path: managed };
  }
  return undefined;
}

function parseManifest(text: string): Manifest {
  const parsed = Manifest.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw rejected(
    'rejected_verify',
    `The manifest cannot be read: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim(),
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function checkPaths(manifest: Manifest, profile: DeviceProfile): CheckedManifest['managed'] {
  const managed = new Map<string, { unit: Unit; path: ManagedPath }>();
  for (const { path, unit } of [...manifest.files, ...manifest.absent]) {
    require(!managed.has(path), `${path} is in the manifest twice`);
    managed.set(path, managedBy(path, unit, profile));
  }
  for (const path of managed.keys()) {
    const above = foldersOf(path).find((folder) => managed.has(folder));
    require(above === undefined, `${above} cannot be a file and the folder of ${path}`);
  }
  for (const file of manifest.files) {
    const found = managed.get(file.path);
    if (found) checkFile(file, found.path);
  }
  const bytes = manifest.files.reduce((sum, { size }) => sum + size, 0);
  require(bytes <=
    maxTotalBytes, `The files have ${bytes} bytes together; at most ${maxTotalBytes} are taken`);
  for (const unit of profile.units) {
    const count = manifest.files.filter((file) => file.unit === unit.name).length;
    require(count <=
      unit.max_files, `The manifest has ${count} files for ${unit.name}; its profile allows ${unit.max_files}`);
  }
  return managed;
}

function managedBy(path: string, name: string, { id, units }: DeviceProfile) {
  const unit = units.find((one) => one.name === name);
  if (!unit)
    throw rejected('rejected_verify', `${path} is for unit ${name}, which profile ${id} does not have`);
  const found = findManaged(path, [unit]);
  if (!found) throw rejected('rejected_verify', `${path} is none of the paths that unit ${name} manages`);
  return found;
}

function checkFile(file: ManifestFile, allowed: ManagedPath): void {
  const [mode, widest] = [Number.parseInt(file.mode, 8), Number.parseInt(allowed.mode, 8)];
  require((mode & ~widest) ===
    0, `${file.path} has mode ${file.mode}; its profile allows ${allowed.mode} at most`);
  for (const [what, name, expected] of [
    ['owner', file.owner, allowed.owner],
    ['group', file.group, allowed.group],
  ] as const) {
    require(name === expected ||
      name === 'root', `${file.path} has ${what} ${name}; its profile allows ${expected} and root`);
  }
  require(file.encoding === 'age' ||
    file.size <=
      allowed.max_bytes, `${file.path} has ${file.size} bytes; its profile allows ${allowed.max_bytes}`);
  require(file.encoding !== 'age' ||
    file.sha256 !== undefined, `${file.path} is encrypted and the manifest does not say what must come out`);
}

/** Also where the links in its folders lead. */
async function refuseOwn(
  path: string,
  ownPaths: string[],
  machine: Pick<TransactionParts['machine'], 'realPath'>,
): Promise<void> {
  const real = await machine.realPath(path);
  require(!isOwnPath(path, ownPaths) && !isOwnPath(real, ownPaths), real === path
    ? `${path} belongs to the agent`
    : `${path} leads to ${real}, which belongs to the agent`);
}

/** `/a/b/c` has the folders `/a` and `/a/b`. */
const foldersOf = (path: string): string[] =>
  path
    .split('/')
    .slice(1, -1)
    .map((_, index, names) => `/${names.slice(0, index + 1).join('/')}`);

function require(holds: boolean, message: string): asserts holds {
  if (!holds) throw rejected('rejected_verify', message);
}
