import type { Clock } from '../../shared/clock.ts';
import { TaskError } from '../../shared/errors.ts';
import { isOver, isUntouched } from '../../shared/transaction.ts';
import type { TransactionMachine } from './machine.ts';

const pollMs = 1_000;

type Machine = Pick<TransactionMachine, 'pending' | 'confirmed'>;

/** The transaction that is changing the machine just now, from ARMED to its end, if there is one. */
export async function underWay(machine: Pick<TransactionMachine, 'pending'>): Promise<string | undefined> {
  const workspace = await machine.pending();
  const last = (await workspace?.journal())?.at(-1)?.state;
  return workspace && last && !isOver(last) && !isUntouched(last) ? workspace.id : undefined;
}

/** Waits while a transaction changes the machine: what is read then is neither the old nor the new configuration. */
export async function whenSettled(
  machine: Machine,
  parts: { clock: Clock; signal: AbortSignal; maxMs: number; waiting: (transaction: string) => void },
): Promise<void> {
  const { clock, signal, maxMs, waiting } = parts;
  const deadline = clock.monotonic() + maxMs;
  for (;;) {
    const transaction = await underWay(machine);
    if (transaction === undefined) return;
    if (clock.monotonic() >= deadline) {
      throw new TaskError('busy', `Transaction ${transaction} is still not decided after ${maxMs / 1000} s`);
    }
    waiting(transaction);
    await clock.sleep(pollMs, signal);
  }
}

/** Reads while nothing changes the machine; what was read beside a transaction is read once more. */
export async function readSettled<Value>(
  machine: Machine,
  parts: Parameters<typeof whenSettled>[1],
  read: () => Promise<Value>,
): Promise<Value> {
  for (let attempt = 1; ; attempt += 1) {
    await whenSettled(machine, parts);
    const before = (await machine.confirmed())?.transaction;
    const value = await read();
    const isSame = (await machine.confirmed())?.transaction === before;
    if (isSame && (await underWay(machine)) === undefined) return value;
    if (attempt === 3) throw new TaskError('busy', 'Transactions kept changing what was to be read');
  }
}
