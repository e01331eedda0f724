import { statfs } from 'node:fs/promises';
import { TaskError } from '../../../shared/errors.ts';

/**
 * A look at a file system whose server is gone never ends, and holds one of the four threads that files and names need too. So two
 * at a time are enough, and of the others only so many wait for their turn.
 */
const maxAtOnce = 2;
const maxWaiting = 100;

type Look = (path: string) => Promise<Record<'blocks' | 'bfree' | 'bavail' | 'bsize', number>>;

/** Looks one after the other, `maxAtOnce` side by side. */
export function inTurn(look: Look): Look {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (path) => {
    if (waiting.length >= maxWaiting) {
      throw new Error(`${waiting.length} looks at file systems wait for earlier ones that do not end`);
    }
    if (running >= maxAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await look(path);
    } finally {
      const next = waiting.shift();
      if (next)
        next(); // takes over this place
      else running -= 1;
    }
  };
}

const look = inTurn((path) => statfs(path));

/**
 * The file system that holds `path`, as statfs(2) tells it: right for every path, also one that is no mount point. Used
 * counts as df(1) does: blocks reserved for root belong to neither side.
 */
export async function disk(path: string): Promise<{ usedPercent: number; availableBytes: number }> {
  try {
    const { blocks, bfree, bavail, bsize } = await look(path);
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
