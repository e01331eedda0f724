import type { Clock } from '../../shared/clock.ts';

/** How long a generation lasts. A token lives at most a minute, so two generations outlive it. */
const generationMs = 120_000;
/** Tokens per generation; only devices that proved their key get here. */
const maxPerGeneration = 500_000;

/** Remembers which one-time tokens were used, in two generations, so that forgetting costs nothing. */
export class UsedTokens {
  readonly #clock: Clock;
  #current = new Set<string>();
  #previous = new Set<string>();
  #turnedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turnedAt = clock.monotonic();
  }

  /** False when the token was used before. */
  add(token: string): boolean {
    this.#turn();
    if (this.#current.has(token) || this.#previous.has(token)) return false;
    this.#current.add(token);
    return true;
  }

  #turn(): void {
    const now = this.#clock.monotonic();
    if (now - this.#turnedAt < generationMs && this.#current.size < maxPerGeneration) return;
    this.#previous = this.#current;
    this.#current = new Set();
    this.#turnedAt = now;
  }
}
