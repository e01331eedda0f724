import type { Command } from '@commander-js/extra-typings';
import { wholeNumber } from '../../arguments/argument-parsers.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { previewView } from '../../views/schedule.ts';

export function addSchedulePreview(group: Command, open: Open): void {
  group
    .command('preview')
    .description('Show the next times of a schedule, or of an expression before there is one')
    .argument('[name]', 'name of the schedule')
    .option('--cron <expression>', 'instead of a schedule: an expression such as "0 2 * * *"')
    .option('--timezone <zone>', 'with --cron: an IANA name, or device (default UTC)')
    .option('--count <number>', 'how many', wholeNumber(1, 100), 10)
    .action(async (name, { cron, timezone, count }) => {
      if ((name === undefined) === (cron === undefined)) {
        throw usageError('give either the name of a schedule or --cron');
      }
      const { client, output } = await open();
      const preview =
        name === undefined
          ? await client.schedules.previewOf({ cron: cron ?? '', timezone: timezone ?? 'UTC', count })
          : await client.schedules.preview(name, count);
      if (output.isJson) output.json(preview);
      else output.list(preview.firings, previewView);
    });
}
