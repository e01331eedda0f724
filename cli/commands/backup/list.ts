import type { Command } from '@commander-js/extra-typings';
import { oneOf, wholeNumber } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import type { Open } from '../../environment.ts';
import { archiveView } from '../../views/archive.ts';

const levels = ['stored', 'readable', 'restorable'] as const;

export function addBackupList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List archives, newest first, with what is proven of each')
    .option('--device <name|regex>', 'only archives of devices whose name matches')
    .option('--level <level>', `only those of which this is proven: ${levels.join(', ')}`, oneOf(levels))
    .option('--page <number>', 'page, from 1', wholeNumber(1, 1_000_000), 1)
    .option('--per-page <number>', 'archives per page, at most 100', wholeNumber(1, 100), 30)
    .action(async ({ device, level, page, perPage }) => {
      const { client, output } = await open();
      const query = { page, per_page: perPage, ...given({ device, level }) };
      output.page(await client.backups.list(query), archiveView);
    });
}
