import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { FloorFile } from '../releases/floor-file.ts';

/** Where plugins lie in the folder of releases. */
export const pluginsOf = (releases: string): string => join(releases, 'plugins');

/** What stays when its trees go. */
const kept = ['current', 'floor'];

/**
 * One plugin on this device: every version is a whole tree, `current` points to the one that runs, `floor` says below which version none is
 * installed, also after it was removed.
 */
export class PluginFolder {
  readonly path: string;

  constructor(releases: string, name: string) {
    this.path = join(pluginsOf(releases), name);
  }

  /** Readable by everybody: plugins run as users of their own. */
  create(): void {
    const plugins = join(this.path, '..');
    for (const folder of [join(plugins, '..'), plugins, this.path]) {
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o755);
    }
  }

  /** It is, or was, installed on this device. */
  get exists(): boolean {
    return existsSync(this.path);
  }

  get current(): string {
    return join(this.path, 'current');
  }

  get floor(): FloorFile {
    return new FloorFile(join(this.path, 'floor'));
  }

  /** Name of the tree that runs; undefined when none does. */
  get tree(): string | undefined {
    return existsSync(this.current) ? basename(readlinkSync(this.current)) : undefined;
  }

  /** In one step, and on the disk when it returns. */
  switchTo(tree: string): void {
    const draft = join(this.path, 'current.new');
    rmSync(draft, { force: true });
    symlinkSync(tree, draft);
    renameSync(draft, this.current);
    this.#sync();
  }

  /** Nothing of it runs from now on, also after a power cut. */
  switchOff(): void {
    rmSync(this.current, { force: true });
    this.#sync();
  }

  /** Removes the trees that are not among these, and what was left half done. */
  keepOnly(trees: (string | undefined)[]): void {
    for (const name of readdirSync(this.path)) {
      if (kept.includes(name) || trees.includes(name)) continue;
      rmSync(join(this.path, name), { recursive: true, force: true });
    }
  }

  #sync(): void {
    const folder = openSync(this.path, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}
