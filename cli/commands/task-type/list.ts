import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { taskTypeView } from '../../views/task-type.ts';

export function addTaskTypeList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List what can be run: the task types that are built in, and those of plugins')
    .action(async () => {
      const { client, output } = await open();
      output.list((await client.taskTypes.list()).items, taskTypeView);
    });
}
