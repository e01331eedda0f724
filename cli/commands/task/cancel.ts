import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { taskView } from '../../views/task.ts';

export function addTaskCancel(group: Command, open: Open): void {
  group
    .command('cancel')
    .description('Cancel a PENDING or SCHEDULED task; with --request ask the device to stop one that runs')
    .argument('<task>', 'task code')
    .option('--request', 'if it runs already, ask its device to stop it', false)
    .action(async (code, { request }) => {
      const { client, output } = await open();
      const task = await client.tasks.cancel(code, request);
      output.one(task, taskView);
      if (task.status === 'IN_PROGRESS') {
        output.say(
          `${task.device_name} is asked to stop it. See the end of it: muster task watch ${task.task}`,
        );
      }
    });
}
