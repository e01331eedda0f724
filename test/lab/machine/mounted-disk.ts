import { copyFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Holder, mustRun } from '../../harness/appliance-command.ts';

const mountPoint = '/mnt';

/** The file system of a disk that no machine runs on, seen from here; nobody else on this machine sees it. */
export class MountedDisk implements AsyncDisposable {
  readonly #holder: Holder;

  private constructor(holder: Holder) {
    this.#holder = holder;
  }

  /** Replays its journal, as the machine would at its next boot. */
  static async open(image: string): Promise<MountedDisk> {
    const mount = 'mount -o loop "$1" "$2" && mount --bind /proc "$2/proc" || exit';
    const script = `${mount}; echo ready; cat >/dev/null; umount --recursive "$2"`;
    return new MountedDisk(
      await Holder.start([
        ...['unshare', '--mount', '--propagation', 'private'],
        ...['sh', '-c', script, 'sh', image, mountPoint],
      ]),
    );
  }

  get path(): string {
    return join(`/proc/${this.#holder.pid}/root`, mountPoint);
  }

  /** Installs Debian packages; services start with the machine. */
  async install(packages: string[]): Promise<void> {
    const copies = packages.map((file) => `/var/tmp/${basename(file)}`);
    for (const [index, file] of packages.entries()) copyFileSync(file, join(this.path, copies[index] ?? ''));
    await this.run(['dpkg', '--install', ...copies]);
    for (const copy of copies) rmSync(join(this.path, copy));
  }

  /** Runs a program of the disk that must end with 0, by this machine's kernel. */
  run(argv: string[]): Promise<string> {
    const enter = ['nsenter', '--target', `${this.#holder.pid}`, '--mount', '--', 'chroot', mountPoint];
    return mustRun([...enter, ...argv], { timeoutMs: 120_000 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#holder[Symbol.asyncDispose]();
  }
}
