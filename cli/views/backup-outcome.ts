import type { Task } from '../../shared/api/tasks.ts';
import { bytesText } from '../output/bytes.ts';
import { painted } from '../output/view.ts';
import type { Cell, View } from '../output/view.ts';
import { messageOf, taskView } from './task.ts';

/** BACKUP tasks at the end of a wait. Results come from devices: nothing in them is taken for granted. */
export const backupOutcomeView: View<Task> = {
  ...taskView,
  columns: [
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'STATUS', value: ({ status }, paint) => painted(paint.state(status)) },
    { head: 'OUTCOME', value: (task): Cell => wordOf(task, 'outcome') },
    { head: 'ARCHIVE', value: (task): Cell => wordOf(task, 'archive') },
    { head: 'LEVEL', value: (task, paint) => painted(paint.state(wordOf(task, 'level') ?? '')) },
    { head: 'FILES', value: (task): Cell => numberOf(task, 'files') },
    { head: 'SIZE', value: sizeText },
    { head: 'MESSAGE', value: noteText },
    { head: 'TASK', value: ({ task }) => task },
  ],
};

const wordOf = ({ result }: Task, key: string): string | undefined =>
  typeof result?.[key] === 'string' && /^[\w-]{1,64}$/.test(result[key]) ? result[key] : undefined;

const numberOf = ({ result }: Task, key: string): number | undefined =>
  typeof result?.[key] === 'number' ? result[key] : undefined;

function sizeText(task: Task): string {
  const bytes = numberOf(task, 'archive_bytes');
  return bytes === undefined ? '' : bytesText(bytes);
}

/** Why it failed, or how much could not be read. */
function noteText(task: Task): string {
  if (task.status !== 'COMPLETED') return messageOf(task);
  const skipped = task.result?.skipped;
  return Array.isArray(skipped) && skipped.length > 0 ? `${skipped.length} files were left out` : '';
}
