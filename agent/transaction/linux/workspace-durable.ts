import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces a file as a whole and settles when that is on the disk: after a power cut it is the old one or the new one. */
export async function replaceDurably(path: string, content: string | Buffer): Promise<void> {
  const draft = `${path}.new`;
  {
    await using handle = await open(draft, 'w', 0o600);
    await handle.writeFile(content);
    await handle.sync();
  }
  await rename(draft, path);
  await syncFolder(dirname(path));
}

/** Brings names into, out of and within a folder to the disk. */
export async function syncFolder(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}

/** Makes a folder and those above it; settles when they are on the disk. */
export async function makeFolder(path: string, mode: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Nothing is at the path of the failed call, or not even its folder. */
export const isMissing = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(codeOf(error));

export const isFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(codeOf(error));

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
