import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { archiveView } from '../../views/archive.ts';

export function addBackupDescribe(group: Command, open: Open): void {
  group
    .command('describe')
    .description('Show everything about one archive')
    .argument('<archive>', 'id of the archive')
    .action(async (id) => {
      const { client, output } = await open();
      output.one(await client.backups.describe(id), archiveView);
    });
}
