import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { confirmLasting } from '../../prompt.ts';

export function addWebhookRemove(group: Command, open: Open): void {
  group
    .command('remove')
    .description('Remove a webhook with its deliveries')
    .argument('<name>', 'name of the webhook')
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .action(async (name, { yes }) => {
      const { client, output, terminal } = await open();
      await confirmLasting(terminal, {
        yes: yes === true,
        action: `removing the webhook ${name} cannot be undone`,
        question: `Remove the webhook ${name} and its deliveries? This cannot be undone`,
      });
      await client.webhooks.remove(name);
      if (output.isJson) output.json({ removed: name });
      else output.say(`Removed ${name}`);
    });
}
