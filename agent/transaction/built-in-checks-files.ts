import { UnitCommand } from '../../shared/device-profile.ts';
import type { Captured } from './built-in-checks.ts';
import type { CheckContext } from './checks.ts';
import type { CommandPlace } from './machine.ts';

/** The first of the named files and folders that does not exist in that place. */
export async function filesThere(
  found: Captured[],
  place: CommandPlace,
  { machine, signal, workspace, scratch }: CheckContext,
): Promise<string | undefined> {
  const options = { signal, ...(workspace ? { workspace } : {}), ...(scratch ? { scratch } : {}) };
  const seen = new Set<string>();
  for (const { path, value } of found) {
    const file = value.trim();
    if (seen.has(file)) continue;
    seen.add(file);
    const test = UnitCommand.parse({ argv: ['test', '-e', file], ok_exit_codes: [0, 1] });
    const { exitCode } = await machine.run(test, place, options);
    if (exitCode !== 0) return `${path} names ${file}, which does not exist`;
  }
  return undefined;
}
