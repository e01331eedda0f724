import type { Clock } from '../../shared/clock.ts';

/** An attempt was given up because too little came; another may do better. */
export class Stalled extends Error {
  override readonly name = 'Stalled';
}

/** Ends an attempt whose bytes do not come on: in every `windowMs` at least `minBytes` must move, unless our own side held them up. */
export class Pace implements Disposable {
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #stalled = new AbortController();
  readonly #over = new AbortController();
  #moved = 0;
  #heldSince: number | undefined;
  #heldMs = 0;

  constructor(clock: Clock, limits: { windowMs: number; minBytes: number }, outer: AbortSignal) {
    this.#clock = clock;
    this.signal = AbortSignal.any([outer, this.#stalled.signal]);
    void this.#watch(limits);
  }

  moved(bytes: number): void {
    this.#moved += bytes;
  }

  /** From now on until `goOn` it is not the peer who is awaited. */
  hold(): void {
    this.#heldSince ??= this.#clock.monotonic();
  }

  goOn(): void {
    if (this.#heldSince !== undefined) this.#heldMs += this.#clock.monotonic() - this.#heldSince;
    this.#heldSince = undefined;
  }

  [Symbol.dispose](): void {
    this.#over.abort();
  }

  async #watch({ windowMs, minBytes }: { windowMs: number; minBytes: number }): Promise<void> {
    for (;;) {
      try {
        await this.#clock.sleep(windowMs, this.#over.signal);
      } catch {
        return; // the attempt is over
      }
      if (this.#moved < minBytes && this.#takeHeld() < windowMs / 2) {
        const seconds = windowMs / 1000;
        this.#stalled.abort(new Stalled(`${this.#moved} bytes in ${seconds} s are too few`));
        return;
      }
      this.#moved = 0;
    }
  }

  #takeHeld(): number {
    const isHeld = this.#heldSince !== undefined;
    this.goOn();
    if (isHeld) this.hold();
    const heldMs = this.#heldMs;
    this.#heldMs = 0;
    return heldMs;
  }
}
