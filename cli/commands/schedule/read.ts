import type { Command } from '@commander-js/extra-typings';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import type { Open } from '../../environment.ts';
import { firingView, scheduleView } from '../../views/schedule.ts';

export function addScheduleReads(group: Command, open: Open): void {
  group
    .command('list')
    .description('List schedules')
    .addOption(pageOption())
    .addOption(perPageOption('schedules'))
    .action(async ({ page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.schedules.list({ page, per_page: perPage }), scheduleView);
    });

  group
    .command('describe')
    .description('Show everything about one schedule, and what it runs')
    .argument('<name>', 'name of the schedule')
    .action(async (name) => {
      const { client, output } = await open();
      output.one(await client.schedules.describe(name), scheduleView);
    });

  group
    .command('history')
    .description('What became of its times, newest first: the run, or why it was skipped')
    .argument('<name>', 'name of the schedule')
    .addOption(pageOption())
    .addOption(perPageOption('firings'))
    .action(async (name, { page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.schedules.firings(name, { page, per_page: perPage }), firingView);
    });
}
