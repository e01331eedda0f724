import { syncErrors } from '../../shared/task-types/sync.ts';
import type { Ledger, SeenTask } from './ledger.ts';
import { windowSeconds } from './sync-orders.ts';
import type { FinalRow } from './truth-invariant.ts';

/** What the guard needs to put files back, beyond its deadline. */
const slackMs = 3_000;

/** Codes that say that nobody knows how it came out. */
const notClaimed = new Set(['timed_out', 'lost_by_device', 'device_removed', 'crash_loop']);

/** Devices that had neither the old nor the new configuration, and those that were locked out for longer than the window to confirm. */
export function brokenMachines(ledger: Ledger): { invariant: string; problem: string }[] {
  const longestMs = windowSeconds.most * 1000 + slackMs;
  const stayed = ledger.lockOuts.filter(({ from, to = Infinity }) => to - from > longestMs);
  return [
    ...ledger.mixtures.map((problem) => ({
      invariant: 'a device has the old configuration or the new one',
      problem,
    })),
    ...stayed.map(({ deviceId, from, to }) => ({
      invariant: 'no lock-out stays',
      problem: `${deviceId} was locked out at ${from} ms, ${to === undefined ? 'and still is' : `for ${to - from} ms`}`,
    })),
  ];
}

/** How often a task's transactions began to change the machine. */
export const timesArmed = (task: SeenTask, ledger: Ledger): number =>
  ledger.transactionsOf(task).filter(({ state }) => state === 'ARMED').length;

/** What the shown end of a SYNC claims and the journal of the device does not say. */
export function untrueTransaction(task: SeenTask, row: FinalRow, ledger: Ledger): string[] {
  const shownAt = task.moves.at(-1)?.order ?? 0;
  const records = ledger.transactionsOf(task);
  const has = (state: string): boolean => records.some((one) => one.state === state && one.order < shownAt);
  const code = row.errorCode ?? '';
  const result = JSON.parse(row.result ?? '{}') as { outcome?: string };

  if (task.state === 'COMPLETED') {
    if (result.outcome === 'dry_run')
      return has('ARMED') ? ['says dry_run, and the machine was changed'] : [];
    return has('CONFIRMED') ? [] : ['is completed, and no journal says CONFIRMED'];
  }
  if (notClaimed.has(code)) return [];
  if (has('CONFIRMED')) return [`says ${code || task.state}, and the journal says CONFIRMED`];
  if (code === 'rolled_back') return has('ROLLED_BACK') ? [] : ['says rolled_back, and no journal does'];
  const isSure = (syncErrors as readonly string[]).includes(code) && code !== 'rollback_failed';
  return isSure && has('ARMED') ? [`says ${code}, and the machine was changed`] : [];
}
