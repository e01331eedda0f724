import { existsSync, rmSync, writeFileSync } from 'node:fs';

/** Enough for the results of every task a device can hold, with their journal. */
const reserveBytes = 1024 * 1024;

/** A file that takes up disk space, to be given up when the disk is full and something must not be lost. */
export class DiskReserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the space if it is not taken yet; a disk that is full now is tried again at the next start. */
  take(): void {
    if (existsSync(this.#path)) return;
    try {
      writeFileSync(this.#path, Buffer.alloc(reserveBytes, 0x6d), { mode: 0o600 });
    } catch {
      this.giveUp();
    }
  }

  giveUp(): void {
    rmSync(this.#path, { force: true });
  }
}
