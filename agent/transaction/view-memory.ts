import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { replaceDurably } from './linux/workspace-durable.ts';

/** What PULL remembers of the one before. Losing it costs a doubt and an upload, nothing else. */
export const ViewMemory = z.object({
  units: z
    .record(
      z.string(),
      z.object({
        state: z.string(),
        files: z.record(z.string(), z.number()),
        doubted: z.string().optional(),
      }),
    )
    .default({}),
  /** The view whose original the controller has, and who can read that. */
  raw: z.object({ view: z.string(), recipients: z.array(z.string()) }).optional(),
});
export type ViewMemory = z.output<typeof ViewMemory>;

export async function readViewMemory(path: string): Promise<ViewMemory> {
  try {
    return ViewMemory.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return ViewMemory.parse({});
  }
}

export const writeViewMemory = (path: string, memory: ViewMemory): Promise<void> =>
  replaceDurably(path, JSON.stringify(memory));
