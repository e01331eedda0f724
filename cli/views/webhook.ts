import type { Delivery, Webhook } from '../../shared/api/webhooks.ts';
import type { View } from '../output/view.ts';

export const webhookView: View<Webhook> = {
  noun: 'webhooks',
  key: ({ name }) => name,
  columns: [
    { head: 'NAME', value: ({ name }) => name },
    { head: 'STATE', value: stateText },
    { head: 'EVENTS', value: ({ events }) => events.join(', ') },
    { head: 'PENDING', value: ({ pending }) => pending },
    { head: 'LAST SUCCESS', value: ({ last_success_at }, paint) => paint.time(last_success_at) },
    { head: 'URL', value: ({ url }) => url },
  ],
  fields: (webhook, paint) => [
    ['Name', webhook.name],
    ['URL', webhook.url],
    ['Events', webhook.events.join(', ')],
    ['State', stateText(webhook)],
    ['Pending', webhook.pending],
    ['Failing since', webhook.failing_since === null ? '' : paint.time(webhook.failing_since)],
    ['Last success', paint.time(webhook.last_success_at)],
    ['Organization', webhook.organization_name],
    ['Created by', webhook.created_by],
    ['Created', paint.time(webhook.created_at)],
    ['Updated', paint.time(webhook.updated_at)],
  ],
};

const reasons = {
  person: 'disabled',
  gone: 'disabled: it answered 410',
  failing: 'disabled: nothing reached it',
};

function stateText({ disabled_reason, failing_since }: Webhook): string {
  if (disabled_reason !== null) return reasons[disabled_reason];
  return failing_since === null ? 'enabled' : 'failing';
}

export const deliveryView: View<Delivery> = {
  noun: 'deliveries',
  key: ({ id }) => id,
  columns: [
    { head: 'ID', value: ({ id }) => id },
    { head: 'TYPE', value: ({ type }) => type },
    { head: 'STATE', value: ({ status }, paint) => paint.state(status) },
    { head: 'ATTEMPTS', value: ({ attempts }) => attempts },
    { head: 'LAST', value: ({ last_attempt_at }, paint) => paint.time(last_attempt_at) },
    { head: 'NEXT', value: ({ next_attempt_at }, paint) => nextText(next_attempt_at, paint.time) },
    { head: 'ANSWER', value: ({ error, response_status }) => error ?? response_status },
  ],
  fields: (delivery, paint) => [
    ['ID', delivery.id],
    ['Webhook', delivery.webhook],
    ['Type', delivery.type],
    ['State', paint.state(delivery.status)],
    ['Attempts', delivery.attempts],
    ['Created', paint.time(delivery.created_at)],
    ['Last attempt', paint.time(delivery.last_attempt_at)],
    ['Next attempt', nextText(delivery.next_attempt_at, paint.time)],
    ['Answer', delivery.response_status],
    ['Took', delivery.duration_ms === null ? '' : `${delivery.duration_ms} ms`],
    ['Error', delivery.error],
    ['Answer text', delivery.response],
    ['Body', JSON.stringify(delivery.body)],
  ],
};

const nextText = (at: string | null, time: (at: string) => string): string => (at === null ? '' : time(at));
