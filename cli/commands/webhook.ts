import type { GroupParts } from './groups.ts';
import { addWebhookAdd } from './webhook/add.ts';
import { addWebhookChanges } from './webhook/change.ts';
import { addWebhookDeliveries } from './webhook/deliveries.ts';
import { addWebhookReads } from './webhook/read.ts';
import { addWebhookRemove } from './webhook/remove.ts';
import { addWebhookTest } from './webhook/test.ts';

export function addWebhookCommands({ command, open }: GroupParts): void {
  addWebhookReads(command, open);
  addWebhookAdd(command, open);
  addWebhookChanges(command, open);
  addWebhookTest(command, open);
  addWebhookDeliveries(command, open);
  addWebhookRemove(command, open);
}
