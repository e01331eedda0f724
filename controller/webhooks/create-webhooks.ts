import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Bus } from '../bus/bus.ts';
import { SecretBox } from '../content/secret-box.ts';
import type { MasterKey } from '../content/secret-key.ts';
import type { Store } from '../store/store.ts';
import type { AddressRules } from './address-guard.ts';
import { Deliveries } from './deliveries.ts';
import { WebhookFeed } from './feed.ts';
import { createPost } from './http-post.ts';
import { WebhookSender } from './sender.ts';
import { WebhookSecrets } from './webhook-secrets.ts';
import { Webhooks } from './webhooks.ts';

export interface WebhookParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  random: Random;
  log: Logger;
  masterKey: MasterKey;
  rules: AddressRules;
}

/** Events told over HTTP: what people do with webhooks, and the loop that sends. */
export interface WebhookService {
  readonly webhooks: Webhooks;
  run(signal: AbortSignal): Promise<void>;
}

export function createWebhooks(parts: WebhookParts): WebhookService {
  const { clock, random, masterKey, rules } = parts;
  const secrets = new WebhookSecrets({ box: new SecretBox(masterKey, random), clock, random });
  const sender = new WebhookSender({ ...parts, secrets, post: createPost(rules) });
  const deliveries = new Deliveries({ ...parts, feed: new WebhookFeed(parts), sender });
  return {
    webhooks: new Webhooks({ ...parts, secrets, sender, wake: () => deliveries.wake() }),
    run: (signal) => deliveries.run(signal),
  };
}
