import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, chown, copyFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CoveredFolder, planView } from './candidate-view-plan.ts';
import { AccountNames } from './managed-files-owner.ts';
import type { WorkspaceLayout } from './workspace-layout.ts';
import { stagedFiles } from './workspace-staged.ts';

const program = join(import.meta.dirname, 'candidate-view.sh');
/** How candidate-view.sh ends, and what it says first, when there is no view. */
export const noView = { exitCode: 125, complaint: 'candidate view: ' } as const;

const maxRemembered = 8;

/**
 * Views in which the staged files of a transaction lie at their real paths, read-only, with the mode and owner they will
 * have, and those staged as absent are gone. The machine itself is not touched.
 */
export class CandidateViews {
  /** What each view was made from; the newest few, for one made anew would be taken from under whatever still runs in it. */
  readonly #made = new Map<string, string>();
  #making: Promise<unknown> = Promise.resolve();

  /** What has to stand before a command's program so that it runs in the view. */
  async enter(layout: WorkspaceLayout, place: 'candidate' | 'scratch'): Promise<string[]> {
    const folder = join(layout.path, 'candidate', 'view');
    const ready = this.#making.then(() => this.#make(layout, folder));
    this.#making = ready.catch(() => {});
    await ready;
    return ['unshare', '--mount', '--propagation', 'private', '--', 'sh', program, folder, place];
  }

  async #make(layout: WorkspaceLayout, folder: string): Promise<void> {
    const files = await stagedFiles(layout);
    const folders = await planView(files, await readFile('/proc/self/mountinfo', 'utf8'));
    const plan = folders.map(planText).join('');
    const stamp = createHash('sha256').update(JSON.stringify(files)).update(plan).digest('hex');
    const isThere = await stat(join(folder, 'plan')).catch(() => undefined); // old transactions are cleared away
    if (isThere && this.#made.get(folder) === stamp) return;
    this.#made.delete(folder);
    const [oldest] = this.#made.keys();
    if (oldest !== undefined && this.#made.size >= maxRemembered) this.#made.delete(oldest);
    await rm(folder, { recursive: true, force: true });
    for (const place of ['hidden', 'sys']) await mkdir(join(folder, place), { recursive: true, mode: 0o700 });
    for (const [index, covered] of folders.entries()) {
      await mkdir(join(folder, 'real', String(index)), { recursive: true });
      await writeLayer(join(folder, 'layers', String(index)), covered);
    }
    await writeFile(join(folder, 'plan'), plan);
    this.#made.set(folder, stamp);
  }
}

function planText({ path, files, mounts }: CoveredFolder, index: number): string {
  const hidden = files
    .filter(({ file }) => file.kind === 'absent')
    .map(({ below }) => `hide\t${index}\t${below}\t${path}\n`);
  const kept = mounts.map((point) => `keep\t${index}\t${point.slice(path.length + 1)}\t${point}\n`);
  return [...hidden, `view\t${index}\t-\t${path}\n`, ...kept].join('');
}

/** The files with the mode and owner they will have; folders on the way as they are on the machine. */
async function writeLayer(layer: string, { path, files }: CoveredFolder): Promise<void> {
  const names = await AccountNames.load();
  const made = new Set<string>();
  const makeFolder = async (below: string): Promise<void> => {
    if (made.has(below)) return;
    if (below !== '.') await makeFolder(dirname(below));
    made.add(below);
    await mkdir(join(layer, below), { recursive: true });
    const real = await stat(join(path, below)).catch(() => undefined);
    await chown(join(layer, below), real?.uid ?? 0, real?.gid ?? 0);
    await chmod(join(layer, below), real ? real.mode & 0o7777 : 0o755);
  };
  await makeFolder('.');

  for (const { below, file } of files) {
    await makeFolder(dirname(below));
    if (file.kind === 'absent') continue;
    const target = join(layer, below);
    await copyFile(file.staged, target, constants.COPYFILE_FICLONE);
    await chown(target, await names.idOf('passwd', file.owner), await names.idOf('group', file.group));
    await chmod(target, Number.parseInt(file.mode, 8));
  }
}
