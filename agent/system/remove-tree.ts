import { spawnSync } from 'node:child_process';
import { TaskError } from '../../shared/errors.ts';
import { runTool } from './tool.ts';

/**
 * Removes folders that belonged to other users, as `rm` of the machine does: folder by folder through open descriptors. By path, as Node.js
 * removes, whoever still owns a folder inside could put a link in its place meanwhile, and have root remove something else.
 */
export async function removeTree(folder: string): Promise<void> {
  const end = await runTool('rm', argumentsOf([folder]), { timeoutMs: 60_000 });
  if (end?.exitCode !== 0) throw notRemoved(folder, end?.stderr);
}

/** The same, before anything else is done. */
export function removeTreesNow(folders: string[]): void {
  if (folders.length === 0) return;
  const { status, stderr } = spawnSync('rm', argumentsOf(folders), { encoding: 'utf8', timeout: 60_000 });
  if (status !== 0) throw notRemoved(folders.join(', '), stderr);
}

const argumentsOf = (folders: string[]): string[] => ['-rf', '--one-file-system', '--', ...folders];

const notRemoved = (what: string, why: string | undefined): TaskError =>
  new TaskError('not_removed', `${what} cannot be removed: ${why?.trim() || 'rm did not end'}`);
