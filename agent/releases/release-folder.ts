import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../../shared/node/replace-file.ts';
import { FloorFile } from './floor-file.ts';

/** Where a trial stands; `release-guard.sh` says what leads where. */
export const TrialState = z.enum(['ARMED', 'TRIAL', 'CONFIRMED', 'ROLLING_BACK', 'ROLLED_BACK']);

/** What the guard program reads and writes: no field holds a line break. */
export const Trial = z.object({
  state: TrialState,
  /** Code of the task. */
  task: z.string(),
  version: z.string(),
  /** Of `versions/`. */
  folder: z.string(),
  sha256: z.string(),
  /** Of `versions/`, or `package`: what comes back. */
  previous: z.string(),
  window_ms: z.coerce.number(),
  /** Milliseconds since 1970; empty before. */
  switched_at: z.string().default(''),
  reason: z.string().default(''),
});
export type Trial = z.output<typeof Trial>;

/**
 * Releases of the agent on this device: `versions/NAME` are whole trees, `current` points to the one that runs, `trial` says what is under
 * way, `bad/SHA256` why a release is not installed again, `floor` below which version none is. Without `current` the Debian package's own
 * version runs.
 */
export class ReleaseFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Readable by the agent's user: it is started from here. */
  create(): void {
    for (const folder of [this.path, this.versions]) {
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o755);
    }
  }

  get versions(): string {
    return join(this.path, 'versions');
  }

  get current(): string {
    return join(this.path, 'current');
  }

  trial(): Trial | undefined {
    const path = join(this.path, 'trial');
    if (!existsSync(path)) return undefined;
    const fields = readFileSync(path, 'utf8')
      .split('\n')
      .map((line): [string, string] => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)];
      });
    return Trial.parse(Object.fromEntries(fields));
  }

  /** On the disk when it returns. */
  arm(trial: Trial): void {
    const lines = Object.entries(trial).map(([name, value]) => `${name}=${value}\n`);
    replaceFile(join(this.path, 'trial'), lines.join(''));
  }

  /** Why this device went back from a release; undefined when it did not. */
  badReason(sha256: string): string | undefined {
    const path = join(this.path, 'bad', sha256);
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
  }

  forgive(sha256: string): void {
    rmSync(join(this.path, 'bad', sha256), { force: true });
  }

  get floor(): FloorFile {
    return new FloorFile(join(this.path, 'floor'));
  }

  /** Removes the trees and downloads that are not among these, and what was left half done. */
  keepOnly(names: string[]): void {
    const downloads = readdirSync(this.path).filter((name) => name.startsWith('download'));
    const trees = readdirSync(this.versions).map((name) => join('versions', name));
    for (const path of [...downloads, ...trees].filter((one) => !names.includes(basename(one)))) {
      rmSync(join(this.path, path), { recursive: true, force: true });
    }
  }
}
