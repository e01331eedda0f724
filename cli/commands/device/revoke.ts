import type { Command } from '@commander-js/extra-typings';
import { CliError, usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { confirm } from '../../prompt.ts';
import { isInteractive } from '../../terminal.ts';
import { deviceView } from '../../views/device.ts';

export function addDeviceRevoke(group: Command, open: Open): void {
  group
    .command('revoke')
    .description('Refuse the key of a device for ever; the device stays, and `rebind` gives it another')
    .argument('<device>', 'name or UUID')
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .action(async (name, { yes }) => {
      const { client, output, terminal } = await open();
      if (!yes && !isInteractive(terminal)) {
        throw usageError(`revoking the key of ${name} cannot be undone: without a terminal it needs --yes`);
      }
      const question = `Revoke the key of ${name}? This cannot be undone`;
      if (!yes && !(await confirm(terminal, question))) {
        throw new CliError('failed', 'nothing was revoked', { code: 'declined' });
      }
      output.one(await client.devices.change(name, 'revoke'), deviceView);
    });
}
