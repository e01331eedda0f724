import type { Task } from '../../shared/api/tasks.ts';
import type { ExitReason } from '../exit-codes.ts';
import { isEnded } from './ended.ts';

/** What the end of a wait means for scripts. */
export function outcomeOf(tasks: Iterable<Pick<Task, 'status'>>): ExitReason {
  const all = [...tasks];
  const completed = all.filter(({ status }) => status === 'COMPLETED').length;
  if (completed === all.length) return 'ok';
  return completed === 0 ? 'failed' : 'someFailed';
}

/** `12 of 40 ended: 10 COMPLETED, 2 FAILED; 8 IN_PROGRESS, 20 PENDING`. */
export function summaryOf(tasks: Iterable<Pick<Task, 'status'>>): string {
  const all = [...tasks];
  const ended = all.filter(isEnded);
  const open = all.filter((task) => !isEnded(task));
  const parts = [counted(ended), counted(open)].filter((text) => text !== '');
  return `${ended.length} of ${all.length} ended: ${parts.join('; ')}`;
}

function counted(tasks: Pick<Task, 'status'>[]): string {
  const counts = new Map<string, number>();
  for (const { status } of tasks) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} ${status}`).join(', ');
}
