import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { deliveryView } from '../../views/webhook.ts';

export function addWebhookTest(group: Command, open: Open): void {
  group
    .command('test')
    .description('Send a message for trying, once, and tell what came of it')
    .argument('<name>', 'name of the webhook')
    .action(async (name) => {
      const { client, output, exit } = await open();
      const delivery = await client.webhooks.test(name);
      output.one(delivery, deliveryView);
      if (delivery.status !== 'DELIVERED') exit('failed');
    });
}
