import type { Clock } from '../../shared/clock.ts';

const samples = 3;

/**
 * Measures a link by its own pings. One measurement at a time, and the median of three: a sign of life that was not the answer (the
 * controller's own ping) can spoil one sample only.
 */
export class RoundTrip {
  readonly #clock: Clock;
  readonly #ping: () => void;
  #turn: Promise<unknown> = Promise.resolve();
  #heard: (() => void) | undefined;

  constructor(clock: Clock, ping: () => void) {
    this.#clock = clock;
    this.#ping = ping;
  }

  /** The peer showed a sign of life. */
  alive(): void {
    this.#heard?.();
  }

  /** Milliseconds. Rejects with the signal's reason. */
  measure(signal: AbortSignal): Promise<number> {
    const mine = this.#turn.then(async () => {
      const measured: number[] = [];
      while (measured.length < samples) measured.push(await this.#sample(signal));
      return measured.sort((left, right) => left - right)[1] as number; // three samples
    });
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #sample(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const sentAt = this.#clock.monotonic();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    this.#heard = resolve;
    try {
      this.#ping();
      await promise;
      return this.#clock.monotonic() - sentAt;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#heard = undefined;
    }
  }
}
