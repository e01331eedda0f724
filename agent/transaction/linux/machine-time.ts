import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The machine's time as the guard reads it too. */
export class Uptime {
  readonly #proc: string;

  constructor(proc = '/proc') {
    this.#proc = proc;
  }

  async bootId(): Promise<string> {
    return (await readFile(join(this.#proc, 'sys/kernel/random/boot_id'), 'utf8')).trim();
  }

  /** CLOCK_BOOTTIME, milliseconds, in steps of 10. */
  uptimeMs(): number {
    const [seconds = ''] = readFileSync(join(this.#proc, 'uptime'), 'utf8').split(' ');
    return Math.round(Number(seconds) * 1000);
  }

  /** What every record of a journal tells. */
  async now(): Promise<{ at: number; bootId: string; uptimeMs: number }> {
    return { at: Date.now(), bootId: await this.bootId(), uptimeMs: this.uptimeMs() };
  }
}
