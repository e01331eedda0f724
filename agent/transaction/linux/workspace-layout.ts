import { join } from 'node:path';

/** Where a transaction keeps what. guard.sh knows the same names. */
export class WorkspaceLayout {
  readonly id: string;
  readonly path: string;

  /** `folder` holds all transactions of the device. */
  constructor(folder: string, id: string) {
    this.id = id;
    this.path = join(folder, id);
  }

  get journal(): string {
    return join(this.path, 'journal');
  }

  get note(): string {
    return join(this.path, 'note.json');
  }

  /** Staged content, each file at its real path below this folder. */
  get candidateFiles(): string {
    return join(this.path, 'candidate', 'files');
  }

  /** What is staged, one line for each `stage` and `stageAbsent`; the newest line of a path counts. See staged-files. */
  get candidateList(): string {
    return join(this.path, 'candidate', 'list');
  }

  get snapshot(): string {
    return join(this.path, 'snapshot');
  }

  get snapshotFiles(): string {
    return join(this.path, 'snapshot', 'files');
  }

  get snapshotManifest(): string {
    return join(this.path, 'snapshot', 'manifest');
  }

  /** Outputs of commands; `{snapshot}` in a command stands for this folder. */
  get kept(): string {
    return join(this.path, 'snapshot', 'kept');
  }

  /** `NNN.argv`, one argument a line, and `NNN.timeout`, seconds. */
  get rollback(): string {
    return join(this.path, 'rollback');
  }

  /** Milliseconds of CLOCK_BOOTTIME and the boot id they belong to. */
  get deadline(): string {
    return join(this.path, 'deadline');
  }

  get guard(): string {
    return join(this.path, 'guard.sh');
  }

  /** Name of the systemd timer, where there is one. */
  get timer(): string {
    return join(this.path, 'timer');
  }

  /** Room for the guard's last records on a full disk. */
  get reserve(): string {
    return join(this.path, 'reserve');
  }

  /** Files that hold room for the way back on other file systems, a path a line. */
  get reserves(): string {
    return join(this.path, 'reserves');
  }

  /** Becomes the device's confirmed state with the confirmation. */
  get confirmed(): string {
    return join(this.path, 'confirmed.json');
  }
}
