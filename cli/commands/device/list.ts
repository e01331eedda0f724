import type { Command } from '@commander-js/extra-typings';
import { label, oneOf } from '../../arguments/argument-parsers.ts';
import { driftStatuses } from '../../arguments/drift-statuses.ts';
import { given } from '../../arguments/given.ts';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import { pastTime, pastTimeHelp } from '../../arguments/past-time.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { deviceView, labelText } from '../../views/device.ts';

const statuses = ['PENDING', 'ENABLED', 'DISABLED'] as const;

export function addDeviceList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List devices of the organization')
    .option('--status <status>', `one of ${statuses.join(', ')}`, oneOf(statuses))
    .option('--name <regex>', 'only devices whose name matches')
    .option('--label <key=value>', 'only devices that carry the label; repeatable', label)
    .option('--ou <name>', 'only devices whose label ou is this')
    .option('--drift-status <status>', `one of ${driftStatuses.join(', ')}`, oneOf(driftStatuses))
    .option('--online', 'only devices with a link')
    .option('--offline', 'only devices without one')
    .option('--heartbeat-after <time>', `last sign of life since: ${pastTimeHelp}`)
    .option('--heartbeat-before <time>', 'no sign of life since')
    .option('--created-after <time>', 'enrolled since')
    .option('--created-before <time>', 'enrolled before')
    .option('--sort-by <field:direction>', 'such as heartbeat:desc', 'name:asc')
    .addOption(pageOption())
    .addOption(perPageOption('devices'))
    .action(async (options) => {
      if (options.online && options.offline) throw usageError('--online and --offline exclude each other');
      const environment = await open();
      const { client, output } = environment;
      const page = await client.devices.list({
        page: options.page,
        per_page: options.perPage,
        sort_by: options.sortBy,
        ...given({
          status: options.status,
          name: options.name,
          label: options.label === undefined ? undefined : labelText(options.label),
          ou: options.ou,
          drift_status: options.driftStatus,
          heartbeat_after: pastTime(options.heartbeatAfter, environment),
          heartbeat_before: pastTime(options.heartbeatBefore, environment),
          created_after: pastTime(options.createdAfter, environment),
          created_before: pastTime(options.createdBefore, environment),
          online: options.online ?? (options.offline ? false : undefined),
        }),
      });
      output.page(page, deviceView);
    });
}
