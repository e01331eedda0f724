import type { Command } from '@commander-js/extra-typings';
import { oneOf } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import type { Open } from '../../environment.ts';
import { archiveView } from '../../views/archive.ts';

const levels = ['stored', 'readable', 'restorable'] as const;

export function addBackupList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List archives, newest first, with what is proven of each')
    .option('--device <name|regex>', 'only archives of devices whose name matches')
    .option('--level <level>', `only those of which this is proven: ${levels.join(', ')}`, oneOf(levels))
    .addOption(pageOption())
    .addOption(perPageOption('archives'))
    .action(async ({ device, level, page, perPage }) => {
      const { client, output } = await open();
      const query = { page, per_page: perPage, ...given({ device, level }) };
      output.page(await client.backups.list(query), archiveView);
    });
}
