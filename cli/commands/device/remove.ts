import type { Command } from '@commander-js/extra-typings';
import { CliError, usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { confirm } from '../../prompt.ts';
import { isInteractive } from '../../terminal.ts';

export function addDeviceRemove(group: Command, open: Open): void {
  group
    .command('remove')
    .description('Remove a device: its open tasks fail, its key is worth nothing, its history stays')
    .argument('<device>', 'name or UUID')
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .action(async (name, { yes }) => {
      const { client, output, terminal } = await open();
      if (!yes && !isInteractive(terminal)) {
        throw usageError(`removing ${name} cannot be undone: without a terminal it needs --yes`);
      }
      const device = await client.devices.describe(name);
      if (!yes && !(await confirm(terminal, `Remove the device ${device.name}? This cannot be undone`))) {
        throw new CliError('failed', 'nothing was removed', { code: 'declined' });
      }
      await client.devices.remove(device.uuid);
      if (output.isJson) output.json({ removed: device.name, uuid: device.uuid });
      else output.say(`Removed ${device.name}`);
    });
}
