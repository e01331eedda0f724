import type { Command } from '@commander-js/extra-typings';
import { given } from '../../arguments/given.ts';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import type { Open } from '../../environment.ts';
import { confirmLasting } from '../../prompt.ts';
import { scheduledTaskView } from '../../views/schedule.ts';

const switches = [
  { verb: 'enable', enabled: true, description: 'Let it be run when its schedule fires' },
  { verb: 'disable', enabled: false, description: 'Keep it from being run by its schedule' },
] as const;

export function addScheduleTasks(group: Command, open: Open): void {
  const tasks = group.command('tasks').description('What schedules run');
  tasks
    .command('list')
    .description('List what schedules run')
    .option('--schedule <name>', 'only of this schedule')
    .addOption(pageOption())
    .addOption(perPageOption('scheduled tasks'))
    .action(async ({ schedule, page, perPage }) => {
      const { client, output } = await open();
      const found = await client.schedules.tasks({ page, per_page: perPage, ...given({ schedule }) });
      output.page(found, scheduledTaskView);
    });

  for (const { verb, enabled, description } of switches) {
    tasks
      .command(verb)
      .description(description)
      .argument('<code>', 'code of the scheduled task')
      .action(async (code) => {
        const { client, output } = await open();
        output.one(await client.schedules.setTaskEnabled(code, enabled), scheduledTaskView);
      });
  }

  tasks
    .command('remove')
    .description('Take something from what a schedule runs')
    .argument('<code>', 'code of the scheduled task')
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .option('--force', 'the same as --yes')
    .action(async (code, { yes, force }) => {
      const { client, output, terminal } = await open();
      await confirmLasting(terminal, {
        yes: yes === true || force === true,
        action: `removing the scheduled task ${code} cannot be undone`,
        question: `Remove the scheduled task ${code}? This cannot be undone`,
      });
      await client.schedules.removeTask(code);
      if (output.isJson) output.json({ removed: code });
      else output.say(`Removed ${code}`);
    });
}
