import type { DeviceProfile } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import type { LiveState } from './drift-gate.ts';
import { liveFiles, liveTexts } from './live-files.ts';
import type { FileState, TransactionMachine } from './machine.ts';
import type { Rendered } from './render.ts';
import type { UnitTexts } from './unit-commands.ts';

/** Texts of every unit of the profile, as they are and as they will be: checks see what other units give to the host. */
export async function textsOfUnits(
  profile: DeviceProfile,
  { live, rendered, machine }: { live: LiveState; rendered: Rendered; machine: TransactionMachine },
): Promise<Map<string, UnitTexts>> {
  const unitOf = new Map(rendered.changes.map(({ path, unit }) => [path, unit]));
  const texts = new Map<string, UnitTexts>();
  for (const unit of profile.units) {
    const files = live.files.get(unit.name) ?? (await readable(() => liveFiles(unit, machine)));
    const before = await liveTexts(files, machine);
    const after = new Map(before);
    for (const path of rendered.removed) after.delete(path);
    for (const [path, text] of rendered.texts) if (unitOf.get(path) === unit.name) after.set(path, text);
    texts.set(unit.name, { before, after });
  }
  return texts;
}

/** Nothing, for a unit that this transaction is not about and that cannot be read. */
async function readable(list: () => Promise<FileState[]>): Promise<FileState[]> {
  try {
    return await list();
  } catch (error) {
    if (error instanceof TaskError) return [];
    throw error;
  }
}
