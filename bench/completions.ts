import { preciseNow, quantile } from './measure.ts';

/** Counts tasks that the fleet saw committed as COMPLETED, with the latency of each since it was asked for. */
export class Completions {
  #latenciesMs: number[] = [];
  #expected = Number.POSITIVE_INFINITY;
  #settle: (() => void) | undefined;

  expect(count: number): void {
    this.#latenciesMs = [];
    this.#expected = count;
  }

  /** `startedAt`: when the request was sent, epoch milliseconds of this machine. */
  add(startedAt: number): void {
    this.#latenciesMs.push(preciseNow() - startedAt);
    if (this.#latenciesMs.length >= this.#expected) this.#settle?.();
  }

  /** Settles when all that was expected has come; throws after `withinMs`. */
  async reached(withinMs: number): Promise<void> {
    if (this.#latenciesMs.length >= this.#expected) return;
    await new Promise<void>((settle, fail) => {
      const overdue = setTimeout(() => {
        fail(
          new Error(`${this.#latenciesMs.length} of ${this.#expected} tasks completed within ${withinMs} ms`),
        );
      }, withinMs);
      this.#settle = () => {
        clearTimeout(overdue);
        settle();
      };
    });
  }

  figures(): { completed: number; p50Ms: number; p99Ms: number } {
    return {
      completed: this.#latenciesMs.length,
      p50Ms: quantile(this.#latenciesMs, 0.5),
      p99Ms: quantile(this.#latenciesMs, 0.99),
    };
  }
}
