import { statfs } from 'node:fs/promises';
import { TaskError } from '../../../shared/errors.ts';

/**
 * The file system that holds `path`, as statfs(2) tells it: right for every path, also one that is no mount point. Used
 * counts as df(1) does: blocks reserved for root belong to neither side.
 */
export async function disk(path: string): Promise<{ usedPercent: number; availableBytes: number }> {
  try {
    const { blocks, bfree, bavail, bsize } = await statfs(path);
    const used = blocks - bfree;
    return {
      usedPercent: used + bavail === 0 ? 0 : (used / (used + bavail)) * 100,
      availableBytes: bavail * bsize,
    };
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new TaskError(
      missing ? 'path_missing' : 'not_measured',
      missing
        ? `${path} does not exist`
        : `The file system of ${path} does not tell its size: ${(cause as Error).message}`,
      { cause },
    );
  }
}
