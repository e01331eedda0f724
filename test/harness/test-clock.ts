import { setImmediate as turn } from 'node:timers/promises';
import type { Clock, Instant } from '../../shared/clock.ts';

interface Sleeper {
  at: number;
  wake: () => void;
}

/** Shorter sleeps only gather what comes together: for them a turn of the event loop is enough. */
const turnMs = 5;

/** A clock that stands still until a test moves it. */
export class TestClock implements Clock {
  #wall: Instant = Date.UTC(2026, 0, 1);
  #monotonic = 0;
  readonly #sleepers = new Set<Sleeper>();

  now(): Instant {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw signal.reason;
    if (ms <= turnMs) return void (await turn());
    await new Promise<void>((resolve, reject) => {
      const aborted = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason as Error);
      };
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', aborted);
        resolve();
      };
      const sleeper: Sleeper = { at: this.#monotonic + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  /** Lets time pass, waking sleepers in order, with turns of the event loop in between for what they do. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    for (;;) {
      await settle();
      const next = [...this.#sleepers].sort((left, right) => left.at - right.at)[0];
      if (next === undefined || next.at > end) break;
      this.#move(next.at - this.#monotonic);
      next.wake();
    }
    this.#move(end - this.#monotonic);
    await settle();
  }

  /** The wall clock jumps; durations do not notice. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #move(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }
}

/** Turns of the event loop: enough for a chain of commits over SQLite in memory to come to rest. */
export async function settle(): Promise<void> {
  for (let index = 0; index < 20; index += 1) await turn();
}
