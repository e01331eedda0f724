import type { Task } from '../../shared/api/tasks.ts';
import { taskStates } from '../../shared/task-state.ts';

/** True for a task in a final state; a state that this version does not know is not taken for one. */
export const isEnded = (task: Pick<Task, 'status'> | undefined): boolean =>
  task !== undefined && (taskStates[task.status] as { final: boolean } | undefined)?.final === true;

/** Without those that were tried again: what became of each device. */
export function lastTries(tasks: Task[]): Task[] {
  const replaced = new Set(tasks.map(({ retry_of }) => retry_of));
  return tasks.filter(({ task }) => !replaced.has(task));
}
