import type { Command } from '@commander-js/extra-typings';
import { wholeNumber } from '../../arguments/argument-parsers.ts';
import type { Open } from '../../environment.ts';
import { webhookView } from '../../views/webhook.ts';

export function addWebhookReads(group: Command, open: Open): void {
  group
    .command('list')
    .description('List webhooks')
    .option('--page <number>', 'page, from 1', wholeNumber(1, 1_000_000), 1)
    .option('--per-page <number>', 'webhooks per page, at most 100', wholeNumber(1, 100), 30)
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
