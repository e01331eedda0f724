import type { Command } from '@commander-js/extra-typings';
import type { Webhook } from '../../../shared/api/webhooks.ts';
import { repeatable } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import type { Open } from '../../environment.ts';
import { showSecret } from '../../output/secret.ts';
import { webhookView } from '../../views/webhook.ts';

export function addWebhookAdd(group: Command, open: Open): void {
  group
    .command('add')
    .description('Send events to a URL from now on; the secret that signs them is shown only now')
    .argument('<url>', 'where events are sent by POST')
    .option(
      '--event <pattern>',
      "which, such as task.failed or 'task.*'; repeatable; all when absent",
      repeatable,
    )
    .option('--name <name>', 'after the host of the URL when absent')
    .action(async (url, { event, name }) => {
      const { client, output } = await open();
      const made = await client.webhooks.create({ url, ...given({ name, events: event }) });
      showSecret<Webhook>(output, made, webhookView);
    });

  group
    .command('rotate-secret')
    .description('Make another secret, shown only now; the one before signs too for a day')
    .argument('<name>', 'name of the webhook')
    .action(async (name) => {
      const { client, output } = await open();
      showSecret<Webhook>(output, await client.webhooks.rotateSecret(name), webhookView);
    });
}
