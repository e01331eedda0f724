import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { deviceView } from '../../views/device.ts';

export function addDeviceDescribe(group: Command, open: Open): void {
  group
    .command('describe')
    .description('Show everything about one device')
    .argument('<device>', 'name or UUID')
    .action(async (name) => {
      const { client, output } = await open();
      output.one(await client.devices.describe(name), deviceView);
    });
}
