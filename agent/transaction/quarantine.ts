import type { JournalRecord, TransactionMachine } from './machine.ts';
import { rejected } from './sync-error.ts';

type Quarantine = Pick<TransactionMachine, 'quarantined' | 'setQuarantined'>;

/** The oldest are forgotten beyond this. */
const maxContents = 200;

/** Begins the reason of a rollback that says nothing about the configuration. */
export const innocentReasons = ['cancelled', 'agent_stopping'];

/** Refuses a content that was rolled back on this device before, unless it is released; a release is for good. */
export async function passQuarantine(content: string, release: boolean, machine: Quarantine): Promise<void> {
  const contents = await machine.quarantined();
  if (!contents.includes(content)) return;
  if (!release) {
    throw rejected(
      'quarantined',
      `Content ${content.slice(0, 12)} was rolled back on this device before; it needs a release to be applied again`,
    );
  }
  await machine.setQuarantined(contents.filter((one) => one !== content));
}

/** A content that had to be undone is not applied again by itself; one that was only stopped may be. */
export async function quarantineAfter(content: string, reason: string, machine: Quarantine): Promise<void> {
  if (content === '' || innocentReasons.some((code) => reason.startsWith(code))) return;
  const contents = await machine.quarantined();
  if (contents.includes(content)) return;
  await machine.setQuarantined([...contents, content].slice(-maxContents));
}

/** Why the way back began: the first word on it counts, whoever finished it. */
export const rollbackReason = (journal: readonly JournalRecord[]): string =>
  (
    journal.find(({ state }) => state === 'ROLLING_BACK') ??
    journal.findLast(({ state }) => state === 'ROLLED_BACK' || state === 'ROLLBACK_FAILED')
  )?.detail ?? '';
