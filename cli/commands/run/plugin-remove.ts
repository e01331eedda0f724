import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { orderOf } from './request.ts';
import { orderCommand } from './run-options.ts';
import { sendInstall } from './send-install.ts';

export function addRunPluginRemove(group: Command, open: Open): void {
  orderCommand(group, 'plugin-remove', 'Remove a plugin from the device, and with it its task types')
    .argument('<plugin>', 'name of the plugin')
    .option('-y, --yes', 'do not ask')
    .action(async (name, options) => {
      const environment = await open();
      const wanted = { ...orderOf(options, environment), name, remove: true };
      await sendInstall(environment, options, {
        wanted,
        question: `Remove the plugin ${name} from these devices?`,
      });
    });
}
