import { z } from 'zod';
import {
  ChangeWebhook,
  CreateWebhook,
  Delivery,
  DeliveryList,
  DeliveryQuery,
  EnableWebhook,
  Redeliver,
  RedeliverAnswer,
  Webhook,
  WebhookList,
  WebhookQuery,
  WebhookWithSecret,
} from '../../shared/api/webhooks.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Route, route } from './route.ts';
import { showDelivery, showWebhook } from './show-webhook.ts';

const root = '/api/v1/organizations/:organization/webhooks';
const one = `${root}/:webhook`;
const tag = 'webhooks';
const WebhookPath = OrganizationPath.extend({ webhook: z.string().max(64).describe('name or id') });

const list = route({
  method: 'GET',
  path: root,
  role: 'operator',
  tag,
  summary: 'List webhooks by name; secrets are never shown',
  params: OrganizationPath,
  query: WebhookQuery,
  answer: WebhookList,
  handle: async ({ parts, principal, query }) =>
    listPage(await parts.store.webhooks.list(principal.organization.id, pagingOf(query)), query, showWebhook),
});

const create = route({
  method: 'POST',
  path: root,
  role: 'admin',
  tag,
  summary: 'Send events to a URL from now on; the secret that signs them is shown only now',
  params: OrganizationPath,
  body: CreateWebhook,
  answer: WebhookWithSecret,
  status: 201,
  errors: ['name_taken', 'conflict', 'unavailable'],
  handle: async ({ parts, actor, body }) => {
    const { webhook, secret } = await parts.webhooks.create(actor, body);
    return { ...showWebhook(webhook), secret };
  },
});

const describe = route({
  method: 'GET',
  path: one,
  role: 'operator',
  tag,
  summary: 'Describe one webhook',
  params: WebhookPath,
  answer: Webhook,
  handle: async ({ parts, principal, params }) =>
    showWebhook(await parts.webhooks.get(principal.organization.id, params.webhook)),
});

const change = route({
  method: 'PATCH',
  path: one,
  role: 'admin',
  tag,
  summary: 'Change a webhook; what is absent stays',
  params: WebhookPath,
  body: ChangeWebhook,
  answer: Webhook,
  errors: ['name_taken'],
  handle: async ({ parts, actor, params, body }) =>
    showWebhook(await parts.webhooks.change(actor, params.webhook, body)),
});

const remove = route({
  method: 'DELETE',
  path: one,
  role: 'admin',
  tag,
  summary: 'Remove a webhook with its deliveries',
  params: WebhookPath,
  handle: ({ parts, actor, params }) => parts.webhooks.remove(actor, params.webhook),
});

const enable = route({
  method: 'POST',
  path: `${one}/enable`,
  role: 'admin',
  tag,
  summary: 'Send to a webhook again',
  params: WebhookPath,
  body: EnableWebhook,
  answer: Webhook,
  handle: async ({ parts, actor, params, body }) =>
    showWebhook(await parts.webhooks.enable(actor, params.webhook, body.catch_up)),
});

const disable = route({
  method: 'POST',
  path: `${one}/disable`,
  role: 'admin',
  tag,
  summary: 'Send nothing to a webhook until it is enabled',
  params: WebhookPath,
  body: z.strictObject({}),
  answer: Webhook,
  handle: async ({ parts, actor, params }) =>
    showWebhook(await parts.webhooks.disable(actor, params.webhook)),
});

const rotateSecret = route({
  method: 'POST',
  path: `${one}/rotate-secret`,
  role: 'admin',
  tag,
  summary: 'Make another secret, shown only now; the one before signs too for a day',
  params: WebhookPath,
  body: z.strictObject({}),
  answer: WebhookWithSecret,
  errors: ['unavailable'],
  handle: async ({ parts, actor, params }) => {
    const { webhook, secret } = await parts.webhooks.rotateSecret(actor, params.webhook);
    return { ...showWebhook(webhook), secret };
  },
});

const test = route({
  method: 'POST',
  path: `${one}/test`,
  role: 'admin',
  tag,
  summary: 'Send a message of type webhook.test now, once, and tell what came of it',
  params: WebhookPath,
  body: z.strictObject({}),
  answer: Delivery,
  handle: async ({ parts, actor, params }) => {
    const webhook = await parts.webhooks.get(actor.organizationId, params.webhook);
    return showDelivery(await parts.webhooks.test(actor, webhook.id), webhook);
  },
});

const deliveries = route({
  method: 'GET',
  path: `${one}/deliveries`,
  role: 'operator',
  tag,
  summary: 'What was sent to a webhook and what it answered, newest first',
  params: WebhookPath,
  query: DeliveryQuery,
  answer: DeliveryList,
  handle: async ({ parts, principal, params, query }) => {
    const webhook = await parts.webhooks.get(principal.organization.id, params.webhook);
    const filter = query.failed === true ? { status: 'FAILED' as const } : {};
    const page = await parts.store.webhookDeliveries.list(webhook.id, filter, pagingOf(query));
    return listPage(page, query, (row) => showDelivery(row, webhook));
  },
});

const redeliver = route({
  method: 'POST',
  path: `${one}/redeliver`,
  role: 'admin',
  tag,
  summary: 'Send one delivery again, or all that failed for good; their ids stay',
  params: WebhookPath,
  body: Redeliver,
  answer: RedeliverAnswer,
  errors: ['conflict'],
  handle: async ({ parts, actor, params, body }) => ({
    webhook: params.webhook,
    redelivered: await parts.webhooks.redeliver(actor, params.webhook, body),
  }),
});

export const webhookRoutes: Route[] = [
  list,
  create,
  describe,
  change,
  remove,
  enable,
  disable,
  rotateSecret,
  test,
  deliveries,
  redeliver,
];
