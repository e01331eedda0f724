import type { Command } from '@commander-js/extra-typings';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import type { Open } from '../../environment.ts';
import { webhookView } from '../../views/webhook.ts';

export function addWebhookReads(group: Command, open: Open): void {
  group
    .command('list')
    .description('List webhooks')
    .addOption(pageOption())
    .addOption(perPageOption('webhooks'))
    .action(async ({ page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.webhooks.list({ page, per_page: perPage }), webhookView);
    });

  group
    .command('describe')
    .description('Show everything about one webhook but its secret')
    .argument('<name>', 'name of the webhook')
    .action(async (name) => {
      const { client, output } = await open();
      output.one(await client.webhooks.describe(name), webhookView);
    });
}
