import type { Clock, Instant, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Bus } from '../bus/bus.ts';
import { auditEntry, controllerAuthor } from '../content/audit-entry.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { AttemptEnd, DeliveryRow } from '../store/webhook-deliveries.ts';
import type { DisabledReason, WebhookRow } from '../store/webhooks.ts';
import { testType } from './event-message.ts';
import type { Post, PostAnswer } from './http-post.ts';
import { retryDelayMs } from './retry-plan.ts';
import { signedHeaders } from './signature.ts';
import type { WebhookSecrets } from './webhook-secrets.ts';

export interface SenderParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  random: Random;
  log: Logger;
  secrets: WebhookSecrets;
  post: Post;
}

/** An attempt may take so long, from resolving the name to the end of the answer. */
const attemptMs = 10_000;
/** An attempt that nobody finished within this is made again: its controller died. */
export const leaseMs = 3 * attemptMs;
/** A webhook that nothing reached for so long is disabled. */
export const failingMs = 3 * 86_400_000;
const maxKept = 1024;

/** What came of an attempt, before it is decided what follows from it. */
type Outcome = { answer: PostAnswer } | { error: string };

/** Makes single attempts, and writes down what came of them. */
export class WebhookSender {
  readonly #parts: SenderParts;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Nothing is written when `signal` was aborted: the attempt is made again. */
  async attempt(webhook: WebhookRow, delivery: DeliveryRow, signal: AbortSignal): Promise<void> {
    const { clock, store, bus } = this.#parts;
    const startedMs = clock.monotonic();
    const outcome = await this.#send(webhook, delivery, signal);
    if (signal.aborted) return;
    const end = this.#endOf(delivery, outcome, Math.round(clock.monotonic() - startedMs));
    const isGone = 'answer' in outcome && outcome.answer.status === 410;
    const disabled = await store.transaction(async (tables) => {
      await tables.webhookDeliveries.finish(delivery.id, end);
      if (delivery.type === testType) return false;
      await tables.webhooks.noteAttempt(webhook.id, end.status === 'DELIVERED', end.at);
      if (end.status === 'DELIVERED') return false;
      return this.#disable(tables, webhook, { isGone, now: end.at });
    });
    if (disabled) bus.publish('events', {});
  }

  async #send(webhook: WebhookRow, { id, body }: DeliveryRow, signal: AbortSignal): Promise<Outcome> {
    const { clock, secrets, post } = this.#parts;
    const over = new AbortController();
    const late = new AbortController();
    const waiting = clock.sleep(attemptMs, AbortSignal.any([signal, over.signal])).then(
      () => late.abort(),
      () => undefined,
    );
    try {
      const headers = {
        'content-type': 'application/json',
        'user-agent': 'Muster-Webhooks',
        ...signedHeaders({ id, body }, secrets.open(webhook), clock.now()),
      };
      const answer = await post(webhook.url, { headers, body }, AbortSignal.any([signal, late.signal]));
      return { answer };
    } catch (error) {
      if (late.signal.aborted) return { error: `no answer within ${attemptMs / 1000} s` };
      return { error: errorText(error) };
    } finally {
      over.abort();
      await waiting;
    }
  }

  #endOf({ attempts, type }: DeliveryRow, outcome: Outcome, durationMs: number): AttemptEnd {
    const { clock, random } = this.#parts;
    const now = clock.now();
    const answer = 'answer' in outcome ? outcome.answer : undefined;
    const base = { at: now, attempts, nextAt: now, durationMs, responseStatus: answer?.status ?? null };
    if (answer && answer.status >= 200 && answer.status < 300) {
      return { ...base, status: 'DELIVERED', response: null, error: null };
    }
    const error = 'error' in outcome ? outcome.error : statusText(outcome.answer.status);
    const failed = { ...base, response: answer ? kept(answer.text) : null, error };
    const isLast = type === testType || answer?.status === 410;
    const delayMs = isLast
      ? undefined
      : retryDelayMs(attempts, { random, now, retryAfter: answer?.retryAfter });
    if (delayMs === undefined) return { ...failed, status: 'FAILED' };
    return { ...failed, status: 'PENDING', nextAt: now + delayMs };
  }

  /** Ends it when its receiver is gone, or fails for too long; with whoever else noticed, it is told once. */
  async #disable(
    tables: StoreTables,
    { id, organizationId }: WebhookRow,
    { isGone, now }: { isGone: boolean; now: Instant },
  ): Promise<boolean> {
    const webhook = await tables.webhooks.get(organizationId, id);
    if (!webhook?.enabled) return false;
    const isFailing = webhook.failingSince !== null && now - webhook.failingSince >= failingMs;
    if (!isGone && !isFailing) return false;
    const reason: DisabledReason = isGone ? 'gone' : 'failing';
    await tables.webhooks.update(id, { enabled: false, disabledReason: reason }, now);
    const event = { at: now, organizationId, deviceId: null, taskId: null, runId: null };
    await tables.events.append([
      { ...event, type: 'webhook.disabled', data: { webhook: webhook.name, reason } },
    ]);
    const what = { action: 'webhook.disable', target: webhook.name, detail: { reason } } as const;
    await tables.audit.append([auditEntry(controllerAuthor(organizationId), now, what)]);
    this.#parts.log.warn({ webhook: webhook.name, organizationId, reason }, 'webhook disabled');
    return true;
  }
}

const kept = (text: string): string => text.replaceAll('\0', '').slice(0, maxKept);

const statusText = (status: number): string =>
  status >= 300 && status < 400
    ? `answered ${status}: expected 2xx, redirects are not followed`
    : `answered ${status}: expected 2xx`;

function errorText(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(errorText).join('; ').slice(0, maxKept);
  if (!(error instanceof Error)) return 'the request failed';
  const code = 'code' in error && !(error instanceof AppError) ? `${String(error.code)}: ` : '';
  return `${code}${error.message}`.slice(0, maxKept);
}
