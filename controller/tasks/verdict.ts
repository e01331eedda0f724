import type { HeldState, HeldVerdict } from '../../shared/protocol/hello.ts';
import { isFinal, type TaskState } from '../../shared/task-state.ts';

/**
 * What a device does with a task it holds, given the task as it stands after the hello's own moves (PENDING, unexpired tasks it holds
 * are IN_PROGRESS by then, unless a rollout holds them back). A task that never started may be forgotten; one that runs is only ever stopped by a cancel.
 */
export function heldVerdict(
  held: HeldState,
  task: { status: TaskState; cancelRequestedAt: number | null } | undefined,
): HeldVerdict {
  if (held === 'finished') return 'keep';
  const runs = held === 'running';
  if (task === undefined || task.status !== 'IN_PROGRESS') return runs ? 'cancel' : 'forget';
  if (!runs) return 'start';
  return task.cancelRequestedAt === null ? 'keep' : 'cancel';
}

/** An IN_PROGRESS task is lost when the device does not list it: it lists everything whose end is not committed here. */
export const isLost = (task: { status: TaskState; code: string }, listed: ReadonlySet<string>): boolean =>
  !isFinal(task.status) && !listed.has(task.code);
