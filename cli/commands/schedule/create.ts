import type { Command } from '@commander-js/extra-typings';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { scheduleView } from '../../views/schedule.ts';
import { decidedBy, withScheduleOptions } from './schedule-options.ts';

export function addScheduleCreate(group: Command, open: Open): void {
  const command = group
    .command('create')
    .description(
      'Make a schedule; what it runs is added with --schedule of run, sync apply, pull and backup run',
    )
    .argument('[name]', 'name of the schedule');
  withScheduleOptions(command)
    .option('--name <name>', 'the same as the argument')
    .option('--disabled', 'do not let it fire yet')
    .action(async (argument: string | undefined, options) => {
      const name = argument ?? options.name;
      if (name === undefined) throw usageError('no name: give the name of the schedule');
      if (options.cron === undefined) throw usageError('no time: give --cron, such as --cron "0 2 * * *"');
      const { client, output } = await open();
      const made = await client.schedules.create({
        name,
        enabled: options.disabled !== true,
        ...decidedBy(options),
      });
      output.one(made, scheduleView);
      output.say(`It runs nothing yet. Add to it, for example: muster run ping --all --schedule "${name}"`);
    });
}
