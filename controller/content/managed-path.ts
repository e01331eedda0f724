import type { DeviceProfile } from '../../shared/device-profile.ts';
import { managedBy } from './device-profiles.ts';

export interface PlacedFile {
  path: string;
  unit: string;
  mode?: string | null | undefined;
  owner?: string | null | undefined;
  group?: string | null | undefined;
}

/** What the agent lives on: no configuration may take it away, or it could not undo the next one. */
const ownPaths = [
  /^\/etc\/muster\//,
  /^\/var\/lib\/muster-agent\//,
  /^\/(etc|run|lib|usr\/lib|usr\/local\/lib)\/systemd\/.*muster-/,
];

const accountName = /^[a-z_][a-z0-9_-]{0,31}$/;

/** What is wrong with where a file is to lie, and as what; nothing when the profile, as far as it is known, allows it. */
export function placeProblems(file: PlacedFile, profile: DeviceProfile | undefined): string[] {
  if (ownPaths.some((pattern) => pattern.test(`${file.path}/`))) {
    return ['it belongs to the agent, and is never managed'];
  }
  const problems = (['owner', 'group'] as const)
    .filter((field) => typeof file[field] === 'string' && !accountName.test(file[field]))
    .map((field) => `${field} ${JSON.stringify(file[field])} is not a name of an account`);
  if (profile === undefined) return problems;
  const place = managedBy(profile, file.unit, file.path);
  if (place === undefined) return [...problems, `profile ${profile.id} ${whyNot(file, profile)}`];
  for (const field of ['owner', 'group'] as const) {
    const [wanted, allowed] = [file[field], place.managed[field]];
    if (typeof wanted === 'string' && wanted !== allowed && wanted !== 'root')
      problems.push(`${field} ${wanted} is not what ${profile.id} allows for it: ${allowed} or root`);
  }
  const highest = place.managed.mode;
  if (typeof file.mode === 'string' && (parseInt(file.mode, 8) & ~parseInt(highest, 8)) !== 0) {
    problems.push(`mode ${file.mode} allows more than ${highest}, which is the most for it in ${profile.id}`);
  }
  return problems;
}

function whyNot({ unit, path }: PlacedFile, { units }: DeviceProfile): string {
  const known = units.find(({ name }) => name === unit);
  return known === undefined
    ? `has no unit ${unit}: it has ${units.map(({ name }) => name).join(', ')}`
    : `does not manage ${path} in unit ${unit}: that has ${known.paths.map(({ glob }) => glob).join(', ')}`;
}

/** Paths that are there twice, or that would be a file and a folder at once. */
export function clashingPaths(paths: readonly string[]): { path: string; problem: string }[] {
  const known = new Set<string>();
  const twice = new Set<string>();
  for (const path of paths) (known.has(path) ? twice : known).add(path);
  const nested = [...known].flatMap((path) => {
    const above = foldersOf(path).find((folder) => known.has(folder));
    return above === undefined
      ? []
      : [{ path, problem: `${above} is a file, and would have to be a folder` }];
  });
  return [...[...twice].map((path) => ({ path, problem: 'it is there more than once' })), ...nested];
}

/** Of /a/b/c: /a and /a/b. */
function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) folders.push(path.slice(0, at));
  return folders;
}
