import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from '../shared/clock.ts';
import type { Logger } from '../shared/node/logger.ts';
import type { DataFolder } from './data-folder.ts';
import { replaceFile } from '../shared/node/replace-file.ts';
import type { AgentStatus } from './loops/status.ts';

/** What the daemon leaves for `muster-agent status`. */
export const StatusFile = z.object({
  state: z.enum(['connecting', 'online', 'refused', 'draining', 'stopped']),
  since: z.string(),
  controller: z.string(),
  device_id: z.string(),
  device: z.string(),
  organization: z.string(),
  key_fingerprint: z.string(),
  version: z.string(),
  pid: z.int(),
  epoch: z.int().nullable(),
  boot_id: z.string().nullable(),
  session: z.string().nullable(),
  tasks: z.array(z.object({ code: z.string(), type: z.string(), state: z.string() })),
  outbox: z.object({ rows: z.int(), bytes: z.int() }),
  last_error: z.object({ at: z.string(), code: z.string(), message: z.string() }).nullable(),
});
export type StatusFile = z.output<typeof StatusFile>;

type Fixed = Pick<
  StatusFile,
  'controller' | 'device_id' | 'device' | 'organization' | 'key_fingerprint' | 'version' | 'pid'
>;

const lookEveryMs = 2_000;

const timestamp = (at: number): string => new Date(at).toISOString();

const toFile = (status: AgentStatus, fixed: Fixed): StatusFile => ({
  state: status.state,
  since: timestamp(status.since),
  ...fixed,
  epoch: status.epoch,
  boot_id: status.bootId,
  session: status.session,
  tasks: status.tasks,
  outbox: status.outbox,
  last_error: status.lastError && { ...status.lastError, at: timestamp(status.lastError.at) },
});

/** Keeps the status file up to date until `signal` is aborted, and once more then. A file that cannot be written costs the agent nothing. */
export async function keepStatusFile(
  parts: { folder: DataFolder; fixed: Fixed; clock: Clock; log: Logger; status: () => AgentStatus },
  signal: AbortSignal,
): Promise<void> {
  const { folder, fixed, clock, log, status } = parts;
  let written = '';
  let failed = false;
  const write = (): void => {
    const text = `${JSON.stringify(toFile(status(), fixed), undefined, 2)}\n`;
    if (text === written) return;
    try {
      replaceFile(folder.status, text);
      written = text;
      failed = false;
    } catch (error) {
      if (!failed) log.warn({ err: error, path: folder.status }, 'the status file cannot be written');
      failed = true;
    }
  };
  while (!signal.aborted) {
    write();
    await clock.sleep(lookEveryMs, signal).catch(() => undefined);
  }
  write();
}

export function readStatusFile(folder: DataFolder): StatusFile | undefined {
  if (!existsSync(folder.status)) return undefined;
  const outcome = StatusFile.safeParse(JSON.parse(readFileSync(folder.status, 'utf8')));
  return outcome.data;
}
