import type { Command } from '@commander-js/extra-typings';
import { given } from '../../arguments/given.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { scheduleView } from '../../views/schedule.ts';
import { decidedBy, withScheduleOptions } from './schedule-options.ts';

const switches = [
  { verb: 'enable', enabled: true, description: 'Let a schedule fire' },
  { verb: 'disable', enabled: false, description: 'Keep a schedule from firing; run it still does' },
] as const;

export function addScheduleChanges(group: Command, open: Open): void {
  const update = group
    .command('update')
    .description('Change a schedule; what is not given stays')
    .argument('<name>', 'name of the schedule');
  withScheduleOptions(update)
    .option('--name <name>', 'a new name')
    .action(async (name, options) => {
      const wanted = { ...decidedBy(options), ...given({ name: options.name }) };
      if (Object.keys(wanted).length === 0) throw usageError('nothing to change: give at least one option');
      const { client, output } = await open();
      output.one(await client.schedules.change(name, wanted), scheduleView);
    });

  for (const { verb, enabled, description } of switches) {
    group
      .command(verb)
      .description(description)
      .argument('<name>', 'name of the schedule')
      .action(async (name) => {
        const { client, output } = await open();
        output.one(await client.schedules.change(name, { enabled }), scheduleView);
      });
  }
}
