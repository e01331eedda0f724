import type { Command } from '@commander-js/extra-typings';
import type { BackupConfig } from '../../../../shared/api/backups.ts';
import { repeatable, wholeNumber } from '../../../arguments/argument-parsers.ts';
import { given } from '../../../arguments/given.ts';
import { size } from '../../../arguments/size.ts';
import { usageError } from '../../../cli-error.ts';
import type { Open } from '../../../environment.ts';
import { backupConfigView } from '../../../views/backup-config.ts';

const count = wholeNumber(0, 10_000);

const setCommand = (group: Command) =>
  group
    .command('set')
    .description('Change what is given and leave the rest; a list that is given replaces the one before')
    .optionsGroup('What, and for whom:')
    .option('--recipient <age1…>', 'who can decrypt; at least two, repeat it', repeatable)
    .option('--include <path>', 'a file or folder beyond the units of the profile; repeatable', repeatable)
    .option('--exclude <path>', 'leave this out; repeatable', repeatable)
    .option('--clear-include', 'nothing beyond the units')
    .option('--clear-exclude', 'leave nothing out')
    .option('--max-bytes <size>', 'largest archive, such as 4GiB', size)
    .option('--full-every-days <number>', 'a new archive at least so often', wholeNumber(1, 365))
    .optionsGroup('How many archives of a device stay (an archive stays when any rule wants it):')
    .option('--keep-last <number>', 'the newest', count)
    .option('--keep-hourly <number>', 'the newest of each hour, so many hours', count)
    .option('--keep-daily <number>', 'of each day', count)
    .option('--keep-weekly <number>', 'of each week', count)
    .option('--keep-monthly <number>', 'of each month', count)
    .option('--keep-yearly <number>', 'of each year', count)
    .option(
      '--keep-within-days <number>',
      'all of so many days before the newest verified',
      wholeNumber(0, 36_500),
    )
    .optionsGroup('Options:');

type SetOptions = ReturnType<ReturnType<typeof setCommand>['opts']>;

export function addBackupConfigSet(group: Command, open: Open): void {
  setCommand(group).action(async (options) => {
    if (Object.keys(options).length === 0) throw usageError('nothing to change');
    if (options.include && options.clearInclude)
      throw usageError('--include and --clear-include exclude each other');
    if (options.exclude && options.clearExclude)
      throw usageError('--exclude and --clear-exclude exclude each other');
    const { client, output } = await open();
    output.one(
      await client.backups.setConfig(changed(await client.backups.config(), options)),
      backupConfigView,
    );
  });
}

/** The whole configuration with the changes; fields that we do not know would be refused and are not sent. */
const changed = (now: BackupConfig, options: SetOptions): BackupConfig => ({
  recipients: options.recipient ?? now.recipients,
  include: options.clearInclude ? [] : (options.include ?? now.include),
  exclude: options.clearExclude ? [] : (options.exclude ?? now.exclude),
  max_bytes: options.maxBytes ?? now.max_bytes,
  full_every_days: options.fullEveryDays ?? now.full_every_days,
  retention: {
    ...now.retention,
    ...given({
      last: options.keepLast,
      hourly: options.keepHourly,
      daily: options.keepDaily,
      weekly: options.keepWeekly,
      monthly: options.keepMonthly,
      yearly: options.keepYearly,
      within_days: options.keepWithinDays,
    }),
  },
});
