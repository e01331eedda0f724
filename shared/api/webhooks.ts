import { z } from 'zod';
import { listOf, PageQuery, QueryFlag, Timestamp } from './common.ts';
import { eventTypes } from './events.ts';

export const WebhookName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'expected a name of 1 to 63 letters, digits, dots, hyphens or underscores',
  );

const nouns = [...new Set(eventTypes.map((type) => type.replace(/\..*/, '')))];

/** `*`, `task.*`, or one type of event. */
export const EventPattern = z
  .string()
  .max(64)
  .refine((text) => text === '*' || nouns.some((noun) => text === `${noun}.*`) || isEventType(text), {
    error: `expected *, a type of event such as task.failed, or one of ${nouns.map((noun) => `${noun}.*`).join(', ')}`,
  });

const isEventType = (text: string): boolean => eventTypes.some((type) => type === text);

const url = z.string().max(2000).describe('where events are sent by POST');
const events = z.array(EventPattern).min(1).max(50).describe('which events; all when absent');

/** POST /api/v1/organizations/{organization}/webhooks */
export const CreateWebhook = z.strictObject({
  url,
  name: WebhookName.optional().describe('after the host of the URL when absent'),
  events: events.optional(),
  enabled: z.boolean().default(true),
});
export type CreateWebhook = z.output<typeof CreateWebhook>;

/** PATCH …/webhooks/{webhook}: what is absent stays. */
export const ChangeWebhook = z.strictObject({
  url: url.optional(),
  name: WebhookName.optional(),
  events: events.optional(),
});
export type ChangeWebhook = z.output<typeof ChangeWebhook>;

export const EnableWebhook = z.strictObject({
  catch_up: z
    .boolean()
    .default(false)
    .describe('send also what happened while it was disabled, as far as events are kept'),
});

export const Webhook = z.object({
  id: z.string(),
  organization_name: z.string(),
  name: z.string(),
  url: z.string(),
  events: z.array(z.string()),
  enabled: z.boolean(),
  disabled_reason: z
    .enum(['person', 'gone', 'failing'])
    .nullable()
    .describe('gone: it answered 410; failing: nothing reached it for three days'),
  pending: z.int().describe('deliveries that are not over'),
  failing_since: Timestamp.nullable(),
  last_success_at: Timestamp.nullable(),
  created_by: z.string(),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type Webhook = z.output<typeof Webhook>;
export const WebhookList = listOf(Webhook);
export const WebhookQuery = z.strictObject({ ...PageQuery });

/** The only answers with the secret. */
export const WebhookWithSecret = Webhook.extend({
  secret: z.string().describe('signs what is sent; shown only now'),
});
export type WebhookWithSecret = z.output<typeof WebhookWithSecret>;

export const deliveryStates = ['PENDING', 'DELIVERED', 'FAILED'] as const;
export const DeliveryState = z.enum(deliveryStates);
export type DeliveryState = z.output<typeof DeliveryState>;

/** One message to one webhook, and what became of it. */
export const Delivery = z.object({
  id: z.string().describe('the header webhook-id: the same at every attempt'),
  webhook: z.string().describe('name'),
  type: z.string(),
  status: DeliveryState,
  attempts: z.int(),
  next_attempt_at: Timestamp.nullable(),
  last_attempt_at: Timestamp.nullable(),
  response_status: z.int().nullable(),
  response: z.string().nullable().describe('beginning of the answer when it was not a success'),
  duration_ms: z.int().nullable(),
  error: z.string().nullable(),
  created_at: Timestamp,
  body: z.unknown().describe('what was sent'),
});
export type Delivery = z.output<typeof Delivery>;
export const DeliveryList = listOf(Delivery);
export const DeliveryQuery = z.strictObject({
  failed: QueryFlag.optional().describe('only those that failed for good'),
  ...PageQuery,
});

/** POST …/webhooks/{webhook}/redeliver: one delivery, or all that failed for good. */
export const Redeliver = z
  .strictObject({ delivery: z.string().max(64).optional(), failed: z.literal(true).optional() })
  .refine(({ delivery, failed }) => (delivery === undefined) !== (failed === undefined), {
    error: 'expected either delivery or failed',
  });
export type Redeliver = z.output<typeof Redeliver>;
export const RedeliverAnswer = z.object({ webhook: z.string(), redelivered: z.int() });
