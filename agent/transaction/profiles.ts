import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { DeviceProfile, Unit } from '../../shared/device-profile.ts';
import { ConfigError } from '../../shared/node/config-error.ts';
import { ProfileFile } from './profiles-file.ts';

export type Platform = DeviceProfile['platform'];

const shippedFolder = fileURLToPath(new URL('../../shared/profiles/', import.meta.url));

/** A profile of the device's own that goes on from another: units of the same name are replaced, others come last. */
const Extension = z.looseObject({ extends: z.string() });

/**
 * The shipped profiles and those of the agent's configuration folder, by id; the device's own replace shipped ones. Throws `ConfigError`
 * with file and line of every problem.
 */
export function loadProfiles(ownFolder?: string, shipped = shippedFolder): Map<string, DeviceProfile> {
  const profiles = new Map<string, DeviceProfile>();
  const problems: string[] = [];
  for (const folder of ownFolder === undefined ? [shipped] : [shipped, ownFolder]) {
    const found = new Map<string, string>();
    for (const path of profileFiles(folder)) {
      try {
        const profile = readProfile(path, profiles);
        const other = found.get(profile.id);
        if (other !== undefined) throw new ConfigError([`${path}:1: ${other} is profile ${profile.id} too`]);
        found.set(profile.id, path);
        profiles.set(profile.id, profile);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        problems.push(error.message);
      }
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return profiles;
}

/** The profile of this device: the one that its configuration names, or the only one for its platform that is its own or, without such, shipped. */
export function chooseProfile(
  profiles: ReadonlyMap<string, DeviceProfile>,
  { id, platform }: { id?: string; platform: Platform },
): DeviceProfile {
  const known = [...profiles.keys()].sort().join(', ');
  if (id !== undefined) {
    const chosen = profiles.get(id);
    if (chosen) return chosen;
    throw new ConfigError([`profile ${id} does not exist on this device; there are ${known || 'none'}`]);
  }
  const fitting = [...profiles.values()].filter((profile) => profile.platform === platform);
  const [only] = fitting;
  if (only && fitting.length === 1) return only;
  const found = fitting.map((profile) => profile.id).join(', ') || 'none';
  throw new ConfigError([
    `expected one profile for ${platform}, found ${found}: name one in the configuration`,
  ]);
}

/** What kind of machine this is, by its /etc/os-release and the kernel's name. */
export function platformOf(osRelease: string, kernel: string): Platform {
  if (kernel === 'freebsd') return 'opnsense';
  return /^ID="?vyos"?\s*$/mu.test(osRelease) ? 'vyos' : 'linux';
}

function profileFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /\.ya?ml$/.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    throw new ConfigError([
      `${folder}: profiles cannot be read: ${error instanceof Error ? error.message : ''}`,
    ]);
  }
}

function readProfile(path: string, known: ReadonlyMap<string, DeviceProfile>): DeviceProfile {
  const file = new ProfileFile(path, readText(path));
  const extension = Extension.safeParse(file.values);
  if (!extension.success) return file.parse(DeviceProfile, file.values);
  const base = known.get(extension.data.extends);
  if (!base) {
    const names = [...known.keys()].sort().join(', ') || 'none';
    throw file.problem(
      ['extends'],
      `there is no profile ${extension.data.extends} to go on from; there are ${names}`,
    );
  }
  const { extends: _, ...own } = file.values;
  const { units } = file.parse(z.looseObject({ units: z.array(Unit).default([]) }), own);
  const replaced = new Map(units.map((unit) => [unit.name, unit]));
  const kept = base.units.map((unit) => replaced.get(unit.name) ?? unit);
  const added = units.filter(({ name }) => !base.units.some((unit) => unit.name === name));
  return file.parse(DeviceProfile, { ...base, ...own, units: [...kept, ...added] });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError([
      `${path}: cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    ]);
  }
}
