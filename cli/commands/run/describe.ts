import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { runView } from '../../views/run.ts';

export function addRunDescribe(group: Command, open: Open): void {
  group
    .command('describe')
    .description('Show everything about one run; its tasks: task list --run ID')
    .argument('<run>', 'id of the run')
    .action(async (id) => {
      const { client, output } = await open();
      output.one(await client.runs.describe(id), runView);
    });
}
