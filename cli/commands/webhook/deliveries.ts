import type { Command } from '@commander-js/extra-typings';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { deliveryView } from '../../views/webhook.ts';

export function addWebhookDeliveries(group: Command, open: Open): void {
  group
    .command('deliveries')
    .description('What was sent to a webhook and what it answered, newest first')
    .argument('<name>', 'name of the webhook')
    .option('--failed', 'only those that failed for good')
    .addOption(pageOption())
    .addOption(perPageOption('deliveries'))
    .action(async (name, { failed, page, perPage }) => {
      const { client, output } = await open();
      const query = { page, per_page: perPage, ...(failed && { failed }) };
      output.page(await client.webhooks.deliveries(name, query), deliveryView);
    });

  group
    .command('redeliver')
    .description('Send one delivery again, or all that failed for good; their ids stay')
    .argument('<name>', 'name of the webhook')
    .argument('[delivery]', 'id of the delivery')
    .option('--failed', 'all that failed for good')
    .action(async (name, delivery, { failed }) => {
      if ((delivery === undefined) === (failed === undefined)) {
        throw usageError('give either the id of a delivery or --failed');
      }
      const { client, output } = await open();
      const answer = await client.webhooks.redeliver(
        name,
        delivery === undefined ? { failed: true } : { delivery },
      );
      if (output.isJson) output.json(answer);
      else output.say(`Sending ${answer.redelivered} again. See: muster webhook deliveries ${name}`);
    });
}
