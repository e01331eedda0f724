import type { Clock, Instant } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Bus } from '../bus/bus.ts';
import type { Store } from '../store/store.ts';
import type { DeliveryRow } from '../store/webhook-deliveries.ts';
import type { WebhookRow } from '../store/webhooks.ts';
import { WakeUp } from '../tasks/wake-up.ts';
import type { WebhookFeed } from './feed.ts';
import { leaseMs, type WebhookSender } from './sender.ts';

export interface DeliveriesParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  log: Logger;
  feed: WebhookFeed;
  sender: WebhookSender;
}

/** Attempts under way: of one webhook, of one whose last attempt failed, and of all. */
const lanes = 4;
const failingLanes = 1;
const maxUnderWay = 256;
/** Without a wake-up it looks this often, and never more often than `paceMs`; for events at most every `feedEveryMs`. */
const pollMs = 2_000;
const paceMs = 25;
const feedEveryMs = 200;
const pruneEveryMs = 60_000;
/** Deliveries that are over: the newest of each webhook, and no older ones. */
const keep = 1_000;
const keepMs = 14 * 86_400_000;

/**
 * Sends deliveries when they are due.
 *
 * - Each webhook has a queue of its own in the store, oldest due first: who is slow or fails waits alone.
 * - An attempt is claimed before it is made and finished after it was answered: a crash between makes it again, with the same id.
 * - Several are under way at once and retries come later than what is younger: the order is not promised.
 */
export class Deliveries {
  readonly #parts: DeliveriesParts;
  readonly #wakeUp = new WakeUp();
  readonly #underWay = new Map<string, number>();
  readonly #attempts = new Set<Promise<void>>();
  #feedDue = 0;
  #pruneDue = 0;
  #turn = 0;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
  }

  /** Something may be due. */
  wake(): void {
    this.#wakeUp.call();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { bus, clock, log } = this.#parts;
    const unsubscribe = bus.subscribe('events', () => this.wake());
    try {
      while (!signal.aborted) {
        let waitMs = pollMs;
        try {
          waitMs = await this.#look(signal);
        } catch (error) {
          log.error({ err: error }, 'looking for deliveries of webhooks failed, the next look tries again');
        }
        await this.#wait(waitMs, signal);
        await clock.sleep(paceMs, signal).catch(() => undefined);
      }
    } finally {
      unsubscribe();
      await Promise.all(this.#attempts);
    }
  }

  async #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const slept = this.#parts.clock.sleep(waitMs, AbortSignal.any([signal, over.signal])).then(
      () => this.wake(),
      () => undefined,
    );
    await this.#wakeUp.wait(signal);
    over.abort();
    await slept;
  }

  /** Returns how long nothing will be due. */
  async #look(signal: AbortSignal): Promise<number> {
    const { store, clock } = this.#parts;
    await this.#prune();
    const webhooks = await store.webhooks.enabled();
    if (webhooks.length === 0) return pollMs;
    const feedMs = await this.#feed(webhooks);
    const due = await store.webhookDeliveries.nextDue(webhooks.map(({ id }) => id));
    const now = clock.now();
    this.#turn += 1;
    const first = this.#turn % webhooks.length; // when there is not room for all, each is first in its turn
    for (const webhook of [...webhooks.slice(first), ...webhooks.slice(0, first)]) {
      if ((due.get(webhook.id) ?? Infinity) <= now) await this.#start(webhook, now, signal);
    }
    const later = [...due.values()].filter((at) => at > now);
    return Math.min(pollMs, feedMs, ...later.map((at) => at - now));
  }

  /** Returns how long until the next look for events. */
  async #feed(webhooks: WebhookRow[]): Promise<number> {
    const { clock, feed } = this.#parts;
    const waitMs = this.#feedDue - clock.monotonic();
    if (waitMs > 0) return waitMs;
    const hasMore = await feed.pass(webhooks);
    if (hasMore) return 0;
    this.#feedDue = clock.monotonic() + feedEveryMs;
    return pollMs;
  }

  async #start(webhook: WebhookRow, now: Instant, signal: AbortSignal): Promise<void> {
    const { store } = this.#parts;
    const underWay = this.#underWay.get(webhook.id) ?? 0;
    const mine = (webhook.failingSince === null ? lanes : failingLanes) - underWay;
    const limit = Math.min(mine, maxUnderWay - this.#attempts.size);
    if (limit <= 0) return; // the end of an attempt wakes the loop
    const claimed = await store.webhookDeliveries.claim(webhook.id, { now, until: now + leaseMs, limit });
    for (const delivery of claimed) this.#attempt(webhook, delivery, signal);
  }

  #attempt(webhook: WebhookRow, delivery: DeliveryRow, signal: AbortSignal): void {
    const { log, sender } = this.#parts;
    const { id } = webhook;
    this.#underWay.set(id, (this.#underWay.get(id) ?? 0) + 1);
    const attempt = sender
      .attempt(webhook, delivery, signal)
      .catch((error: unknown) => log.error({ err: error }, 'a delivery could not be written down'))
      .finally(() => {
        const left = (this.#underWay.get(id) ?? 1) - 1;
        if (left > 0) this.#underWay.set(id, left);
        else this.#underWay.delete(id);
        this.#attempts.delete(attempt);
        this.wake();
      });
    this.#attempts.add(attempt);
  }

  async #prune(): Promise<void> {
    const { clock, store } = this.#parts;
    if (clock.monotonic() < this.#pruneDue) return;
    this.#pruneDue = clock.monotonic() + pruneEveryMs;
    await store.webhookDeliveries.prune(keep, clock.now() - keepMs);
  }
}
