/** Lets a loop sleep until there may be something to do. A notice while it is busy is kept; many notices are one. */
export class Wake {
  #noticed = false;
  #resolve: (() => void) | undefined;

  notify(): void {
    this.#noticed = true;
    this.#resolve?.();
  }

  /** Settles with the next notice, at once when there was one since the last wait; rejects with the signal's reason. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#noticed) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const abort = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      this.#resolve = resolve;
      try {
        await promise;
      } finally {
        this.#resolve = undefined;
        signal.removeEventListener('abort', abort);
      }
    }
    this.#noticed = false;
  }
}
