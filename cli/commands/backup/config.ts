import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { backupConfigView } from '../../views/backup-config.ts';
import { addBackupConfigSet } from './config/set.ts';

export function addBackupConfig(group: Command, open: Open): void {
  const config = group
    .command('config')
    .description('Show or change what is archived, who can decrypt it, and how long it is kept');
  config
    .command('show')
    .description('Show how backups are made and kept')
    .action(async () => {
      const { client, output } = await open();
      output.one(await client.backups.config(), backupConfigView);
    });
  addBackupConfigSet(config, open);
}
