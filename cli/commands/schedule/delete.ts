import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { confirmLasting } from '../../prompt.ts';

export function addScheduleDelete(group: Command, open: Open): void {
  group
    .command('delete')
    .description('Delete a schedule with what it runs; runs that it made stay')
    .argument('<name>', 'name of the schedule')
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .option('--force', 'the same as --yes')
    .action(async (name, { yes, force }) => {
      const { client, output, terminal } = await open();
      await confirmLasting(terminal, {
        yes: yes === true || force === true,
        action: `deleting the schedule ${name} cannot be undone`,
        question: `Delete the schedule ${name} and what it runs? This cannot be undone`,
      });
      await client.schedules.remove(name);
      if (output.isJson) output.json({ deleted: name });
      else output.say(`Deleted ${name}`);
    });
}
