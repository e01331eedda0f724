import type { Command } from '@commander-js/extra-typings';
import { wholeNumber } from '../../arguments/argument-parsers.ts';
import type { Open } from '../../environment.ts';
import { snapshotView } from '../../views/snapshot.ts';

export function addConfigList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List the versions of a device’s configuration that were pulled, newest first')
    .argument('<device>', 'name or UUID')
    .option('--page <number>', 'page, from 1', wholeNumber(1, 1_000_000), 1)
    .option('--per-page <number>', 'versions per page, at most 100', wholeNumber(1, 100), 30)
    .action(async (device, { page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.configs.list(device, { page, per_page: perPage }), snapshotView);
    });
}
