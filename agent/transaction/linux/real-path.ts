import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isMissing } from './workspace-durable.ts';

/** Where a path lies when the links in its folders are followed; what does not exist yet stays as it is. */
export async function realPath(path: string): Promise<string> {
  const folder = dirname(path);
  if (folder === path) return path;
  return join(await realFolder(folder), basename(path));
}

async function realFolder(folder: string): Promise<string> {
  try {
    return await realpath(folder);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return realPath(folder);
  }
}
