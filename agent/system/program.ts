import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { TaskError } from '../../shared/errors.ts';

/** The file a program's name stands for, as execvp(3) finds it; undefined when there is none that can be executed. */
export async function findInPath(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    const file = join(folder, name);
    if ((await executable(file)) === 'yes') return file;
  }
  return undefined;
}

/** The file to execute, or a `TaskError` that says why there is none. */
export async function resolveProgram(name: string, path: string, cwd: string): Promise<string> {
  if (!name.includes('/')) {
    const found = name === '' ? undefined : await findInPath(name, path);
    if (found) return found;
    throw new TaskError(
      'program_missing',
      `The machine has no program ${name || '""'} (searched in ${path})`,
    );
  }

  const file = resolve(cwd, name);
  const can = await executable(file);
  if (can === 'yes') return file;
  if (can === 'missing') throw new TaskError('program_missing', `The machine has no program ${file}`);
  throw new TaskError('not_permitted', `${file} is not a program that the agent may execute`);
}

/** Refuses a working directory that does not exist, which spawn would report as a missing program. */
export async function checkFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (!(found instanceof Error)) {
    if (found.isDirectory()) return;
    throw new TaskError('cwd_missing', `The working directory ${path} is not a directory`);
  }
  if (found.code === 'ENOENT')
    throw new TaskError('cwd_missing', `The working directory ${path} does not exist`);
  throw new TaskError('not_permitted', `The working directory ${path} cannot be used: ${found.message}`);
}

async function executable(file: string): Promise<'yes' | 'no' | 'missing'> {
  try {
    if (!(await stat(file)).isFile()) return 'no';
    await access(file, constants.X_OK);
    return 'yes';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'no';
  }
}
