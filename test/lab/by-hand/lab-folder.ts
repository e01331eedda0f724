import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../harness/source-files.ts';

/** Labs of this checkout: those of another one are elsewhere. In memory, for nothing of a lab outlives this machine's boot. */
const labsFolder = join(
  '/run/muster-lab',
  createHash('sha256').update(projectRoot).digest('hex').slice(0, 12),
);

/** Where one lab keeps what it must be found by. The folder is there exactly as long as the lab. */
export class LabFolder {
  readonly name: string;
  readonly path: string;

  constructor(name: string) {
    if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
      throw new Error(`${JSON.stringify(name)} is no name of a lab: expected up to 32 of a-z, 0-9 and -`);
    }
    this.name = name;
    this.path = join(labsFolder, name);
  }

  static all(): LabFolder[] {
    if (!existsSync(labsFolder)) return [];
    return readdirSync(labsFolder)
      .sort()
      .map((name) => new LabFolder(name));
  }

  /** `edge-1`, or the next one that is free. */
  static free(): LabFolder {
    const taken = new Set(LabFolder.all().map(({ name }) => name));
    for (let number = 1; ; number += 1) {
      if (!taken.has(`edge-${number}`)) return new LabFolder(`edge-${number}`);
    }
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** Throws when somebody else made it. */
  create(): void {
    mkdirSync(labsFolder, { recursive: true, mode: 0o700 });
    mkdirSync(this.path, { mode: 0o700 });
  }

  get socket(): string {
    return join(this.path, 'control');
  }

  get log(): string {
    return join(this.path, 'log');
  }

  /** Data of the lab's own controller. */
  get controller(): string {
    return join(this.path, 'controller');
  }

  pidFile(of: 'keeper' | 'controller'): string {
    return join(this.path, `${of}.pid`);
  }

  /** The process that was started for this lab as its keeper or controller, if it still runs. */
  livingPid(of: 'keeper' | 'controller'): number | undefined {
    const pid = Number(textOf(this.pidFile(of)));
    return pid > 0 && this.isOwn(pid) ? pid : undefined;
  }

  /** Whether the command line of a process names this lab: numbers of processes are used again. */
  isOwn(pid: number): boolean {
    const words = textOf(`/proc/${pid}/cmdline`).split('\0');
    return words.some((word) => word === this.path || word.startsWith(`${this.path}/`));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Of a file, or a process, that may be gone. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
