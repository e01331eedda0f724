import type { Task } from '../../shared/api/tasks.ts';
import { painted } from '../output/view.ts';
import type { Cell, View } from '../output/view.ts';
import { syncEndOf } from './sync-end.ts';
import { messageOf, taskView } from './task.ts';

/** SYNC tasks at the end of a wait: what became of each device, where it stopped, and what is on its disk now. */
export const syncOutcomeView: View<Task> = {
  ...taskView,
  columns: [
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    {
      head: 'OUTCOME',
      value: (task, paint) => painted(paint.state(syncEndOf(task)?.outcome ?? task.status)),
    },
    { head: 'CHANGES', value: (task): Cell => syncEndOf(task)?.changes },
    { head: 'ON DISK', value: (task): Cell => syncEndOf(task)?.onDisk },
    { head: 'WHERE AND WHY', value: whyText },
    { head: 'TASK', value: ({ task }) => task },
  ],
};

/** In a table; `task describe` and JSON show the whole. */
const maxWhy = 200;

function whyText(task: Task): string {
  if (task.status === 'COMPLETED') return '';
  const end = syncEndOf(task);
  const where = end?.rejectedAt ?? task.error_code ?? '';
  const why = end?.reason ?? messageOf(task);
  const text = [where, why].filter((part) => part !== '').join(': ');
  return text.length > maxWhy ? `${text.slice(0, maxWhy - 1)}…` : text;
}
