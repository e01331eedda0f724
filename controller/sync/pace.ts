import type { Clock } from '../../shared/clock.ts';

/** Work that holds the event loop longer than this lets others have their turn. */
const turnMs = 12;
/** Devices that are read from the store at once. */
const chunkSize = 50;

/** Long work in turns: call `turn` after each step. */
export class Pace {
  readonly #clock: Clock;
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  async turn(): Promise<void> {
    if (this.#clock.monotonic() - this.#since < turnMs) return;
    await this.#clock.sleep(0);
    this.#since = this.#clock.monotonic();
  }
}

export const chunksOf = <One>(all: readonly One[], size = chunkSize): One[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size));
