import { spawnSync } from 'node:child_process';
import { statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of a few MiB in memory, mounted on a folder. Needs the right to mount. */
export class SmallDisk implements Disposable {
  readonly path: string;
  readonly #ballast: string;

  constructor(path: string, bytes: number) {
    this.path = path;
    this.#ballast = join(path, 'ballast');
    const { status, stderr } = spawnSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${bytes},mode=0700`,
      'tmpfs',
      path,
    ]);
    if (status !== 0) throw new Error(`cannot mount a tmpfs on ${path}: ${stderr.toString()}`);
  }

  /** Why it cannot be had here, or undefined. */
  static unavailable(folder: string): string | undefined {
    try {
      new SmallDisk(folder, 1024 * 1024)[Symbol.dispose]();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Takes all room that is left, so that the next write finds none. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.path);
    try {
      writeFileSync(this.#ballast, Buffer.alloc(Number(bavail) * Number(bsize)), { flag: 'a' });
      for (;;) writeFileSync(this.#ballast, Buffer.alloc(4096), { flag: 'a' }); // what another process freed meanwhile
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  /** Gives the room back. */
  free(): void {
    truncateSync(this.#ballast, 0);
  }

  [Symbol.dispose](): void {
    spawnSync('umount', ['-l', this.path]);
  }
}
