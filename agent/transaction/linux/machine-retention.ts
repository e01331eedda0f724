import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isOver } from '../../../shared/transaction.ts';
import { readJournal } from './journal.ts';
import { isMissing } from './workspace-durable.ts';
import { WorkspaceLayout } from './workspace-layout.ts';

/** Transactions that are over and stay, as evidence. */
const kept = 5;

/** Removes what is older than the last few transactions, and what never got its first record. */
export async function forgetOldTransactions(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const over: { path: string; at: number }[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const { path, journal } = new WorkspaceLayout(folder, entry.name);
    const last = (await readJournal(journal)).at(-1);
    if (!last || isOver(last.state)) over.push({ path, at: last?.at ?? 0 });
  }
  over.sort((left, right) => right.at - left.at);
  const mounted = await readFile('/proc/self/mountinfo', 'utf8');
  for (const { path, at } of over.filter((one, index) => index >= kept || one.at === 0)) {
    // Something mounted in there could be the machine's own files.
    if (at >= 0 && !mounted.includes(` ${join(path)}/`)) await rm(path, { recursive: true, force: true });
  }
}
