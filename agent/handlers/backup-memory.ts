import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { Backup } from '../../shared/task-types/backup.ts';
import { replaceDurably } from '../transaction/linux/workspace-durable.ts';

/** The archive that was made last. Losing it costs a whole new one. */
const ArchiveMemory = z.object({
  content: z.string(),
  manifest_sha256: z.string(),
  archive_sha256: z.string(),
  archive_bytes: z.int(),
});
export type ArchiveMemory = z.output<typeof ArchiveMemory>;

export async function readArchiveMemory(path: string): Promise<ArchiveMemory | undefined> {
  try {
    return ArchiveMemory.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

export const writeArchiveMemory = (path: string, memory: ArchiveMemory): Promise<void> =>
  replaceDurably(path, JSON.stringify(memory));

/** What the journal of a task says once the archive is at the controller. */
const Reported = z.object({
  statement: z.string(),
  signature: z.string(),
  sealed: ArchiveMemory,
  result: Backup.result,
});
export type Reported = z.output<typeof Reported>;

export const readReported = (note: Record<string, unknown> | undefined): Reported | undefined =>
  Reported.safeParse(note).data;
