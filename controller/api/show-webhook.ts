import type { Delivery, Webhook } from '../../shared/api/webhooks.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { DeliveryRow } from '../store/webhook-deliveries.ts';
import type { WebhookRow } from '../store/webhooks.ts';
import { shownOrNull } from './show-time.ts';

/** Without its secret. */
export const showWebhook = (row: WebhookRow): Webhook => ({
  id: row.id,
  organization_name: row.organizationName,
  name: row.name,
  url: row.url,
  events: row.events,
  enabled: row.enabled,
  disabled_reason: row.disabledReason,
  pending: row.pending,
  failing_since: shownOrNull(row.failingSince),
  last_success_at: shownOrNull(row.lastSuccessAt),
  created_by: row.createdBy,
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt),
});

export const showDelivery = (row: DeliveryRow, { name }: WebhookRow): Delivery => ({
  id: row.id,
  webhook: name,
  type: row.type,
  status: row.status,
  attempts: row.attempts,
  next_attempt_at: row.status === 'PENDING' ? rfc3339(row.nextAt) : null,
  last_attempt_at: shownOrNull(row.lastAt),
  response_status: row.responseStatus,
  response: row.response,
  duration_ms: row.durationMs,
  error: row.error,
  created_at: rfc3339(row.createdAt),
  body: JSON.parse(row.body),
});
