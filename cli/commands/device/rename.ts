import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { deviceView } from '../../views/device.ts';

export function addDeviceRename(group: Command, open: Open): void {
  group
    .command('rename')
    .description('Rename a device')
    .argument('<device>', 'name or UUID')
    .argument('<new-name>', 'new name')
    .action(async (name, newName) => {
      const { client, output } = await open();
      output.one(await client.devices.rename(name, newName), deviceView);
    });
}
