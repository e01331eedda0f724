import { chown, mkdtemp, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TaskError } from '../../shared/errors.ts';
import { removeTree, removeTreesNow } from './remove-tree.ts';
import { permittedUser } from './user.ts';

/** Where script files go: several agents may share the folder, each knows its own files by `agent`. */
export interface ScriptPlace {
  folder: string;
  agent: string;
}

export const scriptFolderPrefix = ({ agent }: ScriptPlace): string => `muster-script-${agent}-`;

/** Puts text into a file in a folder of its own, both of mode 0700 and owned by `userName`; disposing removes the folder. */
export async function writeScriptFile(
  place: ScriptPlace,
  text: string,
  userName: string | undefined,
): Promise<{ path: string } & AsyncDisposable> {
  const user = await permittedUser(userName);
  const folder = await mkdtemp(join(place.folder, scriptFolderPrefix(place))).catch(translate); // mkdtemp gives 0700
  const path = join(folder, 'script');
  const remove = () => removeTree(folder);
  try {
    await writeFile(path, text, { mode: 0o700, flag: 'wx' });
    if (user.uid !== process.getuid?.()) {
      await chown(path, user.uid, user.gid);
      await chown(folder, user.uid, user.gid);
    }
  } catch (error) {
    await remove();
    return translate(error);
  }
  return { path, [Symbol.asyncDispose]: remove };
}

/** Removes what this agent left when it was killed: scripts may hold secrets. Links are removed, not followed. */
export function sweepScriptFiles(place: ScriptPlace): void {
  const left = readdirSync(place.folder).filter((name) => name.startsWith(scriptFolderPrefix(place)));
  removeTreesNow(left.map((name) => join(place.folder, name)));
}

function translate(error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  throw new TaskError(full ? 'disk_full' : 'not_started', `The script cannot be stored: ${message}`, {
    cause: error,
  });
}
