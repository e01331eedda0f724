import type { Rollout } from '../../shared/api/tasks.ts';
import type { TaskState } from '../../shared/task-state.ts';

/** What the limits of a rollout say, given how far its tasks are. */
export type RolloutPlan =
  | { kind: 'go'; slots: number }
  /** All tasks ended. */
  | { kind: 'over' }
  | { kind: 'stop'; reason: string };

export interface RolloutProgress {
  total: number;
  counts: Record<TaskState, number>;
  /** Offered to a device and not answered yet; PENDING in the counts. */
  offered: number;
}

/** A number, or a percentage of the total rounded the given way. */
export function amountOf(text: string, total: number, round: (value: number) => number): number {
  return text.endsWith('%') ? round((total * Number(text.slice(0, -1))) / 100) : Number(text);
}

/**
 * Decides how many more tasks of a run may be handed out now.
 *
 * - `canary`: until so many have completed, no more than those work; a failure among them stops the run.
 * - `max_failures`: more failures than this stop the run; with only a canary, any failure does.
 * - `batch`: at most so many work at the same time. Tasks that wait for their device take no place.
 */
export function planRollout(rollout: Rollout, { total, counts, offered }: RolloutProgress): RolloutPlan {
  if (counts.SCHEDULED + counts.PENDING + counts.IN_PROGRESS === 0) return { kind: 'over' };

  const { FAILED: failed, COMPLETED: completed } = counts;
  const canary = Math.min(rollout.canary ?? 0, total);
  const inCanary = completed < canary;
  if (inCanary && failed > 0) {
    return { kind: 'stop', reason: `a canary failed: ${completed} of ${canary} had completed` };
  }
  const allowed = allowedFailures(rollout, total);
  if (allowed !== undefined && failed > allowed) {
    return { kind: 'stop', reason: `${failed} tasks failed, ${allowed} may` };
  }

  const working = counts.IN_PROGRESS + offered;
  const batch =
    rollout.batch === undefined ? Infinity : Math.max(1, amountOf(rollout.batch, total, Math.ceil));
  const byCanary = inCanary ? canary - completed : Infinity;
  return { kind: 'go', slots: Math.max(0, Math.min(batch, byCanary) - working) };
}

function allowedFailures({ max_failures: maxFailures, canary }: Rollout, total: number): number | undefined {
  if (maxFailures !== undefined) return amountOf(maxFailures, total, Math.floor);
  return canary === undefined ? undefined : 0;
}
