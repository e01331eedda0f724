import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseYaml } from 'yaml';
import { DeviceProfile, type ManagedPath, type Unit } from '../../shared/device-profile.ts';
import { matchesGlob } from '../../shared/glob.ts';
import { parse } from '../../shared/parse.ts';

const shippedFolder = fileURLToPath(new URL('../../shared/profiles/', import.meta.url));

/** The profiles that are shipped with both programs. A device may have others of its own: what it says of them is not known here. */
export class DeviceProfiles {
  #profiles: Map<string, DeviceProfile> | undefined;
  readonly #load: () => DeviceProfile[];

  /** Read when the first one is asked for. */
  constructor(load: () => DeviceProfile[] = () => readProfiles(shippedFolder)) {
    this.#load = load;
  }

  get(id: string): DeviceProfile | undefined {
    this.#profiles ??= new Map(this.#load().map((profile) => [profile.id, profile]));
    return this.#profiles.get(id);
  }
}

export function readProfiles(folder: string): DeviceProfile[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) =>
      parse(`profile ${name}`, DeviceProfile, parseYaml(readFileSync(join(folder, name), 'utf8'))),
    );
}

/** The unit and the pattern under which a profile manages a path; undefined when it does not. */
export function managedBy(
  profile: DeviceProfile,
  unitName: string,
  path: string,
): { unit: Unit; managed: ManagedPath } | undefined {
  const unit = profile.units.find(({ name }) => name === unitName);
  const managed = unit?.paths.find(({ glob }) => matchesGlob(glob, path));
  return unit && managed && { unit, managed };
}
