import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TaskError } from '../../shared/errors.ts';
import { permittedUser } from './user.ts';

const prefix = 'muster-script-';

/** Puts text into a file in a folder of its own, both of mode 0700 and owned by `userName`; disposing removes the folder. */
export async function writeScriptFile(
  parent: string,
  text: string,
  userName: string | undefined,
): Promise<{ path: string } & AsyncDisposable> {
  const user = await permittedUser(userName);
  const folder = await mkdtemp(join(parent, prefix)).catch(translate); // mkdtemp gives 0700
  const path = join(folder, 'script');
  const remove = () => rm(folder, { recursive: true, force: true });
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

/**
 * Makes the folder that script files are put in, and removes what an agent that was killed left there. Other users
 * may pass through it to reach their own script, and cannot list it.
 */
export function prepareScriptFolder(parent: string): void {
  mkdirSync(parent, { recursive: true, mode: 0o711 });
  for (const name of readdirSync(parent).filter((one) => one.startsWith(prefix))) {
    rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function translate(error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  throw new TaskError(full ? 'disk_full' : 'not_started', `The script cannot be stored: ${message}`, {
    cause: error,
  });
}
