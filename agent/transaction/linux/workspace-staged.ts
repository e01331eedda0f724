import { createHash } from 'node:crypto';
import { appendFile, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { WantedFile } from '../machine.ts';
import type { WorkspaceLayout } from './workspace-layout.ts';

/** One file that the candidate view shows, or hides. */
export type StagedFile = ({ kind: 'file'; staged: string } & WantedFile) | { kind: 'absent'; path: string };

/** What is staged, the last word on each path, sorted by path. `staged` is where the content lies. */
export async function stagedFiles(layout: WorkspaceLayout): Promise<StagedFile[]> {
  const text = await readFile(layout.candidateList, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const lines = text.split('\n').slice(0, -1);
  const byPath = new Map(lines.map((line) => parseLine(layout, line)).map((file) => [file.path, file]));
  return [...byPath.values()].sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** Writes the content below the candidate folder, for root's eyes only, and lists it. */
export async function stageFile(
  layout: WorkspaceLayout,
  file: Omit<WantedFile, 'sha256'>,
  content: AsyncIterable<Uint8Array>,
): Promise<{ sha256: string; size: number }> {
  const staged = join(layout.candidateFiles, file.path);
  await mkdir(dirname(staged), { recursive: true, mode: 0o700 });
  await rm(staged, { force: true });
  const hash = createHash('sha256');
  let size = 0;
  {
    await using handle = await open(staged, 'wx', 0o600);
    for await (const chunk of content) {
      hash.update(chunk);
      size += chunk.byteLength;
      await handle.writeFile(chunk);
    }
  }
  const sha256 = hash.digest('hex');
  await list(layout, ['file', file.mode, file.owner, file.group, sha256, file.path]);
  return { sha256, size };
}

/** Lists a path as one that must not exist. */
export async function stageAbsence(layout: WorkspaceLayout, path: string): Promise<void> {
  await rm(join(layout.candidateFiles, path), { force: true });
  await list(layout, ['absent', '-', '-', '-', '-', path]);
}

async function list(layout: WorkspaceLayout, fields: string[]): Promise<void> {
  await mkdir(dirname(layout.candidateList), { recursive: true, mode: 0o700 });
  await appendFile(layout.candidateList, `${fields.join('\t')}\n`, { mode: 0o600 });
}

function parseLine(layout: WorkspaceLayout, line: string): StagedFile {
  const [kind, mode = '', owner = '', group = '', sha256 = '', path = ''] = line.split('\t');
  if (kind === 'absent') return { kind, path };
  return { kind: 'file', path, mode, owner, group, sha256, staged: join(layout.candidateFiles, path) };
}
