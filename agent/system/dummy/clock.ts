import type { Clock, Instant } from '../../../shared/clock.ts';

interface Sleeper {
  dueMs: number;
  wake(): void;
}

/** Time in memory: it stands still until it is moved. */
export class DummyClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  #monotonicMs = 0;
  /** Wall clock minus monotonic clock. */
  #offsetMs: number;

  constructor(startsAt: Instant = Date.UTC(2026, 0, 1)) {
    this.#offsetMs = startsAt;
  }

  now(): Instant {
    return this.#monotonicMs + this.#offsetMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const abort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const sleeper = {
        dueMs: this.#monotonicMs + Math.max(0, ms),
        wake: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** The wall clock jumps; sleepers do not notice. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  /** Lets `ms` pass: wakes who is due, one after the other, each at its own time. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms;
    await quiet();
    for (let next = this.#next(untilMs); next; next = this.#next(untilMs)) await this.#wake(next);
    this.#monotonicMs = untilMs;
  }

  /** Lets as much time pass as `work` needs to settle, and settles as it does. */
  async through<Value>(work: Promise<Value>): Promise<Value> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    work.then(mark, mark);
    await quiet();
    while (!settled) {
      const next = this.#next(Number.POSITIVE_INFINITY);
      if (!next) throw new Error('the work waits, and nothing sleeps: it would wait for ever');
      await this.#wake(next);
    }
    return work;
  }

  #next(untilMs: number): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (sleeper.dueMs <= untilMs && (!first || sleeper.dueMs < first.dueMs)) first = sleeper;
    }
    return first;
  }

  async #wake(sleeper: Sleeper): Promise<void> {
    this.#sleepers.delete(sleeper);
    this.#monotonicMs = Math.max(this.#monotonicMs, sleeper.dueMs);
    sleeper.wake();
    await quiet();
  }
}

/** After one turn of the event loop every microtask has run. */
const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
