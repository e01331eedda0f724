import type { Clock } from '../../shared/clock.ts';
import type { Bus } from '../bus/bus.ts';
import type { EventFilter, EventRow, EventStore } from '../store/events.ts';
import { WakeUp } from './wake-up.ts';

/** `reset`: the cursor asked for is older than what is kept; read the state anew and go on from `oldest`. */
export type StreamItem = { kind: 'event'; event: EventRow } | { kind: 'reset'; oldest: number };

/** Events read at a time. */
const pageSize = 500;
/** A reader looks at most this often, so that a busy fleet does not make every reader read once per commit. */
const paceMs = 25;
/** Without a wake-up it looks this often: another controller's events, or a lost wake-up. */
const pollMs = 2_000;

/**
 * The stream of events, for many readers at their own pace.
 *
 * - Nothing is kept per reader but its cursor: it reads pages from the store, so a slow one costs nothing and loses nothing.
 * - A wake-up only tells that there is something to read.
 */
export class EventStream {
  readonly #events: EventStore;
  readonly #bus: Bus;
  readonly #clock: Clock;
  subscribers = 0;

  constructor({ events, bus, clock }: { events: EventStore; bus: Bus; clock: Clock }) {
    this.#events = events;
    this.#bus = bus;
    this.#clock = clock;
  }

  /** Events after the cursor (undefined: from now on), in order, until `signal` is aborted: then the iteration just ends. */
  async *subscribe(
    filter: EventFilter,
    after: number | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<StreamItem, void, undefined> {
    const wakeUp = new WakeUp();
    const unsubscribe = this.#bus.subscribe('events', () => wakeUp.call());
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    const polling = this.#poll(wakeUp, stop);
    this.subscribers += 1;
    try {
      let cursor = after;
      const { oldest, newest } = await this.#events.range();
      if (cursor === undefined) cursor = newest;
      // The event right after the cursor must still be kept, or something is missing.
      else if (cursor > newest || (oldest > 0 && cursor < oldest - 1)) {
        yield { kind: 'reset', oldest };
        cursor = Math.max(0, oldest - 1);
      }
      while (!stop.aborted) {
        const page = await this.#events.read(filter, cursor, pageSize);
        for (const event of page) {
          if (stop.aborted) return;
          cursor = event.cursor;
          yield { kind: 'event', event };
        }
        if (page.length === pageSize) continue;
        await wakeUp.wait(stop);
        await this.#clock.sleep(paceMs, stop).catch(() => undefined);
      }
    } finally {
      this.subscribers -= 1;
      unsubscribe();
      ended.abort();
      await polling;
    }
  }

  async #poll(wakeUp: WakeUp, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(pollMs, signal).catch(() => undefined);
      wakeUp.call();
    }
  }
}
