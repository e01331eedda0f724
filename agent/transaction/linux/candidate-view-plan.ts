import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { TaskError } from '../../../shared/errors.ts';
import type { StagedFile } from './workspace-staged.ts';

/** A folder of the machine that the view covers, and the files to show or hide in it. */
export interface CoveredFolder {
  path: string;
  files: { below: string; file: StagedFile }[];
  /** Mount points in it that have to be put back above the cover. */
  mounts: string[];
}

/**
 * The fewest folders that have to be covered for these files: existing ones, links resolved, those on another file
 * system apart; outer ones first.
 */
export async function planView(files: StagedFile[], mountTable: string): Promise<CoveredFolder[]> {
  const mountPoints = parseMountPoints(mountTable);
  const located = (await Promise.all(files.map(locate))).filter((one) => one !== undefined);
  const folders: CoveredFolder[] = [];
  const byDepth = located.toSorted((left, right) => left.folder.length - right.folder.length);
  for (const { folder, name, file } of byDepth) {
    if (folder === '/') {
      throw new TaskError(
        'not_viewable',
        `${file.path} cannot be shown to a check: its folder is not on the machine`,
      );
    }
    const covering = folders.find(
      ({ path }) => isWithin(path, folder) && mountOf(folder, mountPoints) === mountOf(path, mountPoints),
    );
    const path = covering?.path ?? folder;
    if (!covering) folders.push({ path, files: [], mounts: [] });
    folders.find((one) => one.path === path)?.files.push({ below: relative(path, join(folder, name)), file });
  }
  const shown = new Set(located.map(({ folder, name }) => join(folder, name)));
  return folders.map((folder) => ({
    ...folder,
    mounts: outermost(
      mountPoints.filter(
        (point) => point !== folder.path && isWithin(folder.path, point) && !shown.has(point),
      ),
    ),
  }));
}

interface Located {
  folder: string;
  name: string;
  file: StagedFile;
}

/** The nearest folder above a file that exists, and the file's name within it. Nothing for what need not be hidden. */
async function locate(file: StagedFile): Promise<Located | undefined> {
  if (file.kind === 'absent' && !(await lstat(file.path).catch(() => undefined))) return undefined;
  let [folder, name] = [dirname(file.path), basename(file.path)];
  for (;;) {
    const there = await stat(folder).catch(() => undefined);
    if (there?.isDirectory()) return { folder: await realpath(folder), name, file };
    [folder, name] = [dirname(folder), join(basename(folder), name)];
  }
}

/** The fifth field of each line of /proc/self/mountinfo, with its octal escapes undone. */
const parseMountPoints = (table: string): string[] => [
  ...new Set(
    table
      .split('\n')
      .flatMap((line) => line.split(' ')[4] ?? [])
      .map((path) =>
        path.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8))),
      ),
  ),
];

const isWithin = (folder: string, path: string): boolean =>
  path === folder || folder === '/' || path.startsWith(`${folder}/`);

const mountOf = (path: string, points: string[]): string =>
  points
    .filter((point) => isWithin(point, path))
    .reduce((best, one) => (one.length > best.length ? one : best), '/');

/** Without those within another one: they come along with it. */
const outermost = (points: string[]): string[] =>
  points.filter((point) => !points.some((other) => other !== point && isWithin(other, point)));
