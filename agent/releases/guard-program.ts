import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TaskError } from '../../shared/errors.ts';
import { runTool } from '../system/tool.ts';

const unit = 'muster-release-guard.service';

/** The guard of the package, in a systemd unit of its own, so that it outlives the version that is on trial. */
export class GuardProgram {
  readonly #program: string;
  readonly #launcher: string;
  readonly #folder: string;

  /** `home` is where the package lies, `folder` where releases are. */
  constructor(home: string, folder: string) {
    this.#program = join(home, 'release-guard.sh');
    this.#launcher = join(home, 'launch');
    this.#folder = folder;
  }

  requireReady(): void {
    if (existsSync(this.#launcher) && existsSync(this.#program) && existsSync('/run/systemd/system')) return;
    throw new TaskError(
      'not_permitted',
      `This agent cannot switch versions by itself: it was not installed as a package on a machine with systemd (no ${this.#launcher})`,
    );
  }

  async start(): Promise<void> {
    const end = await runTool('systemctl', ['start', unit]);
    if (end?.exitCode === 0) return;
    throw new TaskError('install_failed', `${unit} does not start: ${end?.stderr.trim() ?? 'no systemctl'}`);
  }

  async confirm(task: string): Promise<'confirmed' | 'too_late' | 'not_yet'> {
    const end = await runTool('/bin/sh', [this.#program, 'confirm', this.#folder, task]);
    if (end?.exitCode === 0) return 'confirmed';
    if (end?.exitCode === 3) return 'too_late';
    if (end?.exitCode === 4) return 'not_yet';
    throw new TaskError(
      'install_failed',
      `The trial cannot be confirmed: ${end?.stderr.trim() ?? 'no shell'}`,
    );
  }
}
