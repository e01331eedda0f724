import { TaskError } from '../../shared/errors.ts';
import { Sync } from '../../shared/task-types/sync.ts';
import type { TransactionMachine } from '../transaction/machine.ts';
import { recoverTransaction } from '../transaction/recover-transaction.ts';
import { runTransaction } from '../transaction/transaction.ts';
import { probeFromBoth } from '../transaction/probe-from-both.ts';
import type { TransactionParts } from '../transaction/transaction-parts.ts';
import { type Handler, type HandlerContext, handle } from './handler.ts';

/** The way back has commands of its own, each with its own time. */
const stopsWithinMs = 600_000;

/** Applies desired configurations to the machine of `parts`. */
export function createSyncHandler(parts: TransactionParts): Handler {
  const handler = handle(
    Sync,
    async (parameters, context) => {
      const id = await freshId(context.code, parts.machine);
      context.journal.write({ transaction: id });
      return stopped(context.signal, () =>
        runTransaction(id, parameters, { parts: probingTwice(parts, context), context }),
      );
    },
    async (parameters, _interrupted, context) => {
      const id = context.journal.read()?.['transaction'];
      if (typeof id !== 'string') return 'rerun';
      return stopped(context.signal, () => recoverTransaction(id, parameters, { parts, context }));
    },
  );
  return { ...handler, stopsWithinMs } as Handler;
}

/** Reached is only who is reached by both, the process that runs the transaction and the agent. */
function probingTwice(parts: TransactionParts, { agentProbe, clock }: HandlerContext): TransactionParts {
  return agentProbe ? { ...parts, probe: probeFromBoth(parts.probe, agentProbe, clock) } : parts;
}

/** The task's code; with a number behind it when an earlier try was interrupted before it touched anything. */
async function freshId(code: string, machine: Pick<TransactionMachine, 'find'>): Promise<string> {
  for (let number = 1; ; number += 1) {
    const id = number === 1 ? code : `${code}-${number}`;
    if ((await machine.find(id)) === undefined) return id;
  }
}

/** A transaction that was undone because of a cancel request ends as cancelled. */
async function stopped<Value>(signal: AbortSignal, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    const isUndone = error instanceof TaskError && error.code === 'rolled_back';
    const reason = isUndone ? String(error.result?.['reason']) : '';
    throw signal.aborted && reason.startsWith('cancelled') ? signal.reason : error;
  }
}
