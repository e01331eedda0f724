import type { Clock, Random } from '../../shared/clock.ts';
import type { EventRow } from '../store/events.ts';
import type { Store } from '../store/store.ts';
import type { NewDelivery } from '../store/webhook-deliveries.ts';
import type { WebhookRow } from '../store/webhooks.ts';
import { covers, drawMessageId, eventBody, gapType, messageBody } from './event-message.ts';

/** Events looked at together. */
const pageSize = 500;
/** A webhook with so many deliveries that are not over gets no more until some are: events wait in the stream as long as it keeps them. */
export const maxPending = 10_000;

interface Step {
  webhook: WebhookRow;
  to: number;
  deliveries: NewDelivery[];
}

/**
 * Makes deliveries of events. The stream is the source: a webhook's cursor moves in the commit that stores the deliveries of what it
 * passes, so a crash neither loses nor doubles one.
 */
export class WebhookFeed {
  readonly #parts: { store: Store; clock: Clock; random: Random };

  constructor(parts: { store: Store; clock: Clock; random: Random }) {
    this.#parts = parts;
  }

  /** One page for each; returns whether there is more. */
  async pass(webhooks: WebhookRow[]): Promise<boolean> {
    const { store } = this.#parts;
    const { oldest, newest } = await store.events.range();
    const pages = new Map<string, Promise<EventRow[]>>();
    const steps: Step[] = [];
    for (const webhook of webhooks) {
      const { organizationId, cursor } = webhook;
      if (webhook.pending >= maxPending || cursor >= newest) continue;
      if (cursor < oldest - 1) {
        steps.push(this.#gap(webhook, oldest - 1));
        continue;
      }
      const key = `${organizationId} ${cursor}`;
      const page = pages.get(key) ?? store.events.read({ organizationId }, cursor, pageSize);
      pages.set(key, page);
      steps.push(await this.#step(webhook, await page, newest));
    }
    if (steps.length > 0) await this.#commit(steps);
    return steps.some(({ to }) => to < newest);
  }

  async #commit(steps: Step[]): Promise<void> {
    await this.#parts.store.transaction(async (tables) => {
      for (const { webhook, to, deliveries } of steps) {
        if (await tables.webhooks.advance(webhook.id, webhook.cursor, to)) {
          await tables.webhookDeliveries.insert(deliveries);
        }
      }
    });
  }

  /** `newest` was read before the page, so what a page that is not full lacks up to there is of other organizations. */
  async #step(webhook: WebhookRow, page: EventRow[], newest: number): Promise<Step> {
    const wanted = page.filter(({ type }) => covers(webhook.events, type));
    const errors = await this.#errorsOf(wanted);
    const last = page.at(-1)?.cursor ?? 0;
    return {
      webhook,
      to: page.length === pageSize ? last : Math.max(last, newest),
      deliveries: wanted.map((event) =>
        this.#delivery(webhook, event, eventBody(event, errors.get(event.taskId ?? '') ?? null)),
      ),
    };
  }

  async #errorsOf(events: EventRow[]): Promise<Map<string, string | null>> {
    const failed = events.flatMap(({ type, deviceId, taskCode }) =>
      type === 'task.failed' && deviceId !== null && taskCode !== null ? [{ deviceId, code: taskCode }] : [],
    );
    if (failed.length === 0) return new Map();
    const tasks = await this.#parts.store.tasks.getMany(failed);
    return new Map(tasks.map(({ id, errorMessage }) => [id, errorMessage]));
  }

  /** Says which events were deleted before they could be told. */
  #gap(webhook: WebhookRow, to: number): Step {
    const data = { organization: webhook.organizationName, from_cursor: webhook.cursor + 1, to_cursor: to };
    const body = messageBody(gapType, this.#parts.clock.now(), data);
    return { webhook, to, deliveries: [this.#delivery(webhook, { cursor: to, type: gapType }, body)] };
  }

  #delivery(
    { id }: WebhookRow,
    { cursor, type }: { cursor: number; type: string },
    body: string,
  ): NewDelivery {
    const { clock, random } = this.#parts;
    const now = clock.now();
    return {
      id: drawMessageId(random, cursor),
      webhookId: id,
      type,
      body,
      nextAt: now,
      createdAt: now,
    };
  }
}
