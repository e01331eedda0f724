import { join } from 'node:path';
import type { UnitCommand } from '../../shared/device-profile.ts';

const program = join(import.meta.dirname, 'fresh-folders.sh');

/** The command with the empty folders that it asks for; in a mount namespace within the place it runs in. */
export function freshly(command: UnitCommand): UnitCommand {
  const folders = command.fresh_folders ?? [];
  if (folders.length === 0) return command;
  const inside = ['unshare', '--mount', '--propagation', 'private', 'sh', program, ...folders, '--'];
  return { ...command, argv: [...inside, ...command.argv] };
}
