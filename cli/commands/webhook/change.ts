import type { Command } from '@commander-js/extra-typings';
import { repeatable } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { webhookView } from '../../views/webhook.ts';

export function addWebhookChanges(group: Command, open: Open): void {
  group
    .command('update')
    .description('Change a webhook; what is not given stays')
    .argument('<name>', 'name of the webhook')
    .option('--url <url>', 'another URL')
    .option('--event <pattern>', 'which events instead; repeatable', repeatable)
    .option('--name <name>', 'a new name')
    .action(async (name, { url, event, name: newName }) => {
      const wanted = given({ url, events: event, name: newName });
      if (Object.keys(wanted).length === 0) throw usageError('nothing to change: give at least one option');
      const { client, output } = await open();
      output.one(await client.webhooks.change(name, wanted), webhookView);
    });

  group
    .command('enable')
    .description('Send to a webhook again, what happens from now on')
    .argument('<name>', 'name of the webhook')
    .option('--catch-up', 'what happened while it was disabled too, as far as events are kept')
    .action(async (name, { catchUp }) => {
      const { client, output } = await open();
      output.one(await client.webhooks.enable(name, catchUp === true), webhookView);
    });

  group
    .command('disable')
    .description('Send nothing to a webhook until it is enabled')
    .argument('<name>', 'name of the webhook')
    .action(async (name) => {
      const { client, output } = await open();
      output.one(await client.webhooks.disable(name), webhookView);
    });
}
