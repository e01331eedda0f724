import type { Outbox } from './outbox.ts';

/** Lets work wait until the controller has committed a row of the outbox. */
export class Acknowledgements {
  readonly #waiting = new Set<{ seq: number; resolve: () => void }>();

  constructor(outbox: Outbox) {
    outbox.listen({ acked: (seq) => this.#acked(seq) });
  }

  /** Settles when the row `seq` is committed by the controller; rejects with the signal's reason. */
  async reached(seq: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { seq, resolve };
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    this.#waiting.add(waiter);
    try {
      await promise;
    } finally {
      this.#waiting.delete(waiter);
      signal.removeEventListener('abort', abort);
    }
  }

  #acked(seq: number): void {
    for (const waiter of this.#waiting) if (waiter.seq <= seq) waiter.resolve();
  }
}
