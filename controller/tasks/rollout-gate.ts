import type { StoreTables } from '../store/store.ts';
import type { DeviceTask } from '../store/tasks.ts';
import { taskKey } from './moves.ts';
import { planRollout } from './rollout.ts';

/**
 * Of the tasks that devices accepted, those that their rollouts let start now. Offers are counted in memory, so a controller that
 * starts anew does not know of those under way: here, in the transaction that starts tasks, the limits hold whatever was offered.
 * A task that is left out stays PENDING, its device forgets it, and it is offered again in its turn.
 */
export async function letThrough(tables: StoreTables, accepted: DeviceTask[]): Promise<DeviceTask[]> {
  const rollouts = new Map((await tables.runs.openRollouts()).map((run) => [run.id, run]));
  if (rollouts.size === 0) return accepted;

  const slots = new Map<string, number>();
  const heldBack = new Set<string>();
  const tasks = await tables.tasks.getMany(accepted);
  for (const task of tasks.sort((left, right) => left.seq - right.seq)) {
    const run = task.runId === null ? undefined : rollouts.get(task.runId);
    if (run === undefined || task.status !== 'PENDING') continue;
    const plan = planRollout(run.rollout, { total: run.total, counts: run.counts, offered: 0 });
    const left = slots.get(run.id) ?? (plan.kind === 'go' ? plan.slots : 0);
    if (left === 0) heldBack.add(taskKey(task));
    slots.set(run.id, Math.max(0, left - 1));
  }
  return accepted.filter((task) => !heldBack.has(taskKey(task)));
}
