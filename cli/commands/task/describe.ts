import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { taskView } from '../../views/task.ts';

export function addTaskDescribe(group: Command, open: Open): void {
  group
    .command('describe')
    .description('Show everything about one task')
    .argument('<task>', 'task code')
    .action(async (code) => {
      const { client, output } = await open();
      output.one(await client.tasks.describe(code), taskView);
    });
}
