import { TaskError } from '../../shared/errors.ts';
import type { SyncParameters, SyncResult } from '../../shared/task-types/sync.ts';
import type { Evidence } from './evidence.ts';
import { type Findings, noteOf, resultOf } from './findings.ts';
import type { Workspace } from './machine.ts';
import { quarantineAfter, rollbackReason } from './quarantine.ts';
import { rollBack } from './roll-back.ts';
import type { TransactionContext, TransactionParts } from './transaction-parts.ts';

/** One transaction at work. */
export interface TransactionWork {
  parameters: SyncParameters;
  parts: TransactionParts;
  context: TransactionContext;
  workspace: Workspace;
  evidence: Evidence;
  /** Grows with the steps. */
  findings: Findings;
}

/** What a result is made of. */
export type Story = Pick<TransactionWork, 'parameters' | 'findings' | 'evidence'>;

/** Keeps what was found out so far on the disk. */
export const saveNote = ({ workspace, findings, evidence }: TransactionWork): Promise<void> =>
  workspace.writeNote(noteOf(findings, evidence));

/** CONFIRMED: what the task has come to. */
export function confirmedResult({ parameters, findings, evidence }: Story): SyncResult {
  const outcome = findings.changes_total === 0 ? 'unchanged' : 'applied';
  return resultOf(parameters, findings, evidence, { outcome, journal: 'CONFIRMED', on_disk: 'new' });
}

/** What the journal of a dry run ends with. */
export const dryRunDetail = 'dry_run: nothing was applied';

export const dryRunResult = ({ parameters, findings, evidence }: Story): SyncResult =>
  resultOf(parameters, findings, evidence, { outcome: 'dry_run', journal: 'REJECTED', on_disk: 'old' });

/** Undoes what was begun. Returns only when the journal says CONFIRMED; else throws what the task has come to. */
export async function undo(work: TransactionWork, reason: string): Promise<SyncResult> {
  const { workspace, context, evidence, parts } = work;
  const verdict = await rollBack(workspace, reason, { clock: context.clock, evidence });
  if (verdict === 'confirmed') return confirmedResult(work);
  if (verdict === 'rolled_back') await probeAfter(work);
  throw await undone(work, verdict, parts.machine);
}

/** What a transaction that was undone, by whomever, has come to. */
export async function undone(
  { workspace, parameters, findings, evidence }: Omit<TransactionWork, 'parts' | 'context'>,
  verdict: 'rolled_back' | 'rollback_failed',
  machine: TransactionParts['machine'],
): Promise<TaskError> {
  const journal = await workspace.journal();
  const reason = rollbackReason(journal);
  await quarantineAfter(findings.content, reason, machine);
  const result = resultOf(parameters, findings, evidence, {
    outcome: verdict,
    journal: journal.at(-1)?.state ?? null,
    on_disk: verdict === 'rolled_back' ? 'old' : 'unknown',
    reason,
  });
  const told =
    verdict === 'rolled_back' ? 'The old configuration is back' : lastWords(journal.at(-1)?.detail);
  return new TaskError(verdict, `${told}. Reason: ${reason}`, { result });
}

const lastWords = (detail = ''): string =>
  `The old configuration could not be brought back in full${detail === '' ? '' : `: ${detail}`}`;

/** Evidence only: whether the controller is reached again. */
async function probeAfter({ parts, workspace, evidence, context }: TransactionWork): Promise<void> {
  if (context.signal.aborted) return;
  try {
    evidence.probe(await parts.probe.attempt(workspace.id, 10_000, context.signal));
  } catch (error) {
    if (!context.signal.aborted) throw error;
  }
}
