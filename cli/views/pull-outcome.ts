import type { Task } from '../../shared/api/tasks.ts';
import { painted } from '../output/view.ts';
import type { View } from '../output/view.ts';
import { messageOf, taskView } from './task.ts';

/** PULL tasks at the end of a wait. Results come from devices: nothing in them is taken for granted. */
export const pullOutcomeView: View<Task> = {
  ...taskView,
  columns: [
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'STATUS', value: ({ status }, paint) => painted(paint.state(status)) },
    { head: 'VERSION', value: versionText },
    { head: 'UNITS', value: unitsText },
    { head: 'MESSAGE', value: (task) => (task.status === 'COMPLETED' ? '' : messageOf(task)) },
    { head: 'TASK', value: ({ task }) => task },
  ],
};

function versionText({ result }: Task): string {
  if (typeof result?.version !== 'number') return '';
  return `${result.version}${result.changed === true ? ' (new)' : ''}`;
}

/** What is not in order by name, the rest only counted. */
function unitsText({ result }: Task): string {
  if (!Array.isArray(result?.units)) return '';
  const units = result.units as Record<string, unknown>[];
  const fine = units.filter(({ status }) => status === 'in_sync').length;
  const others = units
    .filter(({ status }) => status !== 'in_sync')
    .map(({ unit, status }) => `${String(unit)} ${String(status)}`);
  return [...others, ...(fine > 0 ? [`${fine} in_sync`] : [])].join(', ');
}
