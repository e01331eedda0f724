import type { Command } from '@commander-js/extra-typings';
import { oneOf } from '../../arguments/argument-parsers.ts';
import { driftStatuses } from '../../arguments/drift-statuses.ts';
import { given } from '../../arguments/given.ts';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import type { Open } from '../../environment.ts';
import { syncStatusView } from '../../views/sync-status.ts';

export function addSyncStatus(group: Command, open: Open): void {
  group
    .command('status')
    .description('Show per device whether it has the desired configuration and has not drifted')
    .option('--device <name|regex>', 'only devices whose name matches')
    .option('--drift-status <status>', `one of ${driftStatuses.join(', ')}`, oneOf(driftStatuses))
    .addOption(pageOption())
    .addOption(perPageOption('devices'))
    .action(async ({ device, driftStatus, page, perPage }) => {
      const { client, output } = await open();
      const query = { page, per_page: perPage, ...given({ device, drift_status: driftStatus }) };
      output.page(await client.sync.status(query), syncStatusView);
    });
}
