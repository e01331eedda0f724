import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Keeps the boot id of a dummy machine beyond the life of the process. */
export interface BootIdStorage {
  load(): string | undefined;
  save(bootId: string): void;
}

/** A boot id in a file: an agent that is killed comes back on the same boot, a dummy reboot writes a new one. */
export function bootIdFile(path: string): BootIdStorage {
  return {
    load() {
      try {
        return readFileSync(path, 'utf8').trim() || undefined;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    save(bootId) {
      writeFileSync(`${path}.new`, `${bootId}\n`, { mode: 0o600 });
      renameSync(`${path}.new`, path); // never half a boot id
    },
  };
}
