/** A bell that several may ring while nobody listens; one listener hears it once. */
export class Wake {
  #rung = false;
  #heard: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#heard?.();
  }

  /** True at once when it was rung since the last call, else when it rings; false after `sleep`. */
  async wait(sleep: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    const done = new AbortController();
    try {
      if (!this.#rung) {
        const rung = new Promise<void>((resolve) => {
          this.#heard = resolve;
        });
        await Promise.race([rung, sleep(done.signal)]);
      }
      return this.#rung;
    } finally {
      this.#rung = false;
      this.#heard = undefined;
      done.abort();
    }
  }
}
