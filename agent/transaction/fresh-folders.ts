import { join } from 'node:path';
import type { Check, UnitCommand } from '../../shared/device-profile.ts';

const program = join(import.meta.dirname, 'fresh-folders.sh');

/** The command with the empty folders that it asks for; in a mount namespace within the place it runs in. */
export function freshly(command: UnitCommand | Check): UnitCommand {
  const folders = 'fresh_folders' in command ? command.fresh_folders : [];
  if (folders.length === 0) return command;
  const inside = ['unshare', '--mount', '--propagation', 'private', 'sh', program, ...folders, '--'];
  return { ...command, argv: [...inside, ...command.argv] };
}
