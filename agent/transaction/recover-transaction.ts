import { TaskError } from '../../shared/errors.ts';
import type { SyncParameters, SyncResult } from '../../shared/task-types/sync.ts';
import { isOver, isUntouched } from '../../shared/transaction.ts';
import { Evidence } from './evidence.ts';
import { readNote, resultOf } from './findings.ts';
import type { TransactionMachine, Workspace } from './machine.ts';
import { quarantineAfter, rollbackReason } from './quarantine.ts';
import { isSyncError } from './sync-error.ts';
import type { TransactionContext, TransactionParts } from './transaction-parts.ts';
import {
  confirmedResult,
  dryRunDetail,
  dryRunResult,
  type TransactionWork,
  undo,
  undone,
} from './transaction-work.ts';

const interrupted = 'interrupted: the agent or the machine stopped in the middle';

/**
 * Ends a transaction whose process died, as its journal says: returns the result when it was confirmed, throws what the task has come to
 * when it was undone, and says `rerun` when nothing had been touched.
 */
export async function recoverTransaction(
  id: string,
  parameters: SyncParameters,
  { parts, context }: { parts: TransactionParts; context: TransactionContext },
): Promise<SyncResult | 'rerun'> {
  const workspace = await parts.machine.find(id);
  const last = (await workspace?.journal())?.at(-1);
  if (!workspace || !last) return 'rerun';
  const { steps, probes, ...findings } = readNote(await workspace.note());
  const evidence = new Evidence(context, { steps, probes });
  const work: TransactionWork = { parameters, parts, context, workspace, evidence, findings };
  evidence.say(`transaction ${id} was interrupted; its journal says ${last.state}`);

  switch (last.state) {
    case 'CONFIRMED':
      await parts.machine.confirmed(); // finishes what a kill right after the verdict left undone
      return confirmedResult(work);
    case 'REJECTED':
      return rejectedBefore(last.detail, work);
    case 'ROLLED_BACK':
      throw await undone(work, 'rolled_back', parts.machine);
    case 'ROLLBACK_FAILED':
      throw await undone(work, 'rollback_failed', parts.machine);
    default:
      if (!isUntouched(last.state)) return undo(work, interrupted);
      await workspace.append('REJECTED', interrupted);
      return 'rerun';
  }
}

/** The verdict was on the disk when the process died, and perhaps nobody was told. */
function rejectedBefore(
  detail: string,
  { parameters, findings, evidence }: TransactionWork,
): SyncResult | 'rerun' {
  if (detail === dryRunDetail) return dryRunResult({ parameters, findings, evidence });
  const [code = '', ...rest] = detail.split(': ');
  if (!isSyncError(code)) return 'rerun';
  const reason = rest.join(': ');
  const rejected_at = code.replace('rejected_', '');
  const end = { outcome: 'rejected', journal: 'REJECTED', on_disk: 'old', rejected_at, reason } as const;
  throw new TaskError(code, reason, { result: resultOf(parameters, findings, evidence, end) });
}

/**
 * Ends a transaction that is not over, whoever began it. For the start of an agent, before it takes up its tasks: the database that knew the
 * task may be gone. Says what it did.
 */
export async function endPendingTransaction(machine: TransactionMachine): Promise<string | undefined> {
  const workspace = await machine.pending();
  if (!workspace) return undefined;
  const last = (await workspace.journal()).at(-1);
  if (!last || isOver(last.state)) return undefined;
  if (isUntouched(last.state)) {
    await workspace.append('REJECTED', interrupted);
    return `transaction ${workspace.id} had touched nothing and is over`;
  }
  return undoPending(workspace, machine);
}

async function undoPending(workspace: Workspace, machine: TransactionMachine): Promise<string> {
  const verdict = await workspace.rollBack(interrupted);
  if (verdict === 'confirmed') return `transaction ${workspace.id} was confirmed`;
  const { content } = readNote(await workspace.note());
  await quarantineAfter(content, rollbackReason(await workspace.journal()), machine);
  return `transaction ${workspace.id} is ${verdict === 'rolled_back' ? 'undone' : 'not undone in full'}`;
}
