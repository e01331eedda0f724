/** A path may become longer while a session lives: what was measured so many times ago counts no more. */
const kept = 8;

/**
 * Round trips of a session as they were measured. The shortest of the last ones is the path itself; the others waited in buffers, and a
 * window that grew with them would fill those buffers more.
 */
export class RoundTrips {
  readonly #lastMs: number[] = [];

  add(roundTripMs: number): void {
    this.#lastMs.push(roundTripMs);
    if (this.#lastMs.length > kept) this.#lastMs.shift();
  }

  /** Milliseconds; 0 until something was measured. */
  get pathMs(): number {
    return this.#lastMs.length === 0 ? 0 : Math.min(...this.#lastMs);
  }
}
