/**
 * Lets one loop wait until somebody calls. A call while nobody waits is kept: the next `wait` returns at once, so that no call is
 * lost between looking and waiting. Many calls count as one.
 */
export class WakeUp {
  #called = false;
  #resolve: (() => void) | undefined;

  call(): void {
    this.#called = true;
    this.#resolve?.();
  }

  /** Settles at the next call, or when the signal is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.#called && !signal.aborted) {
      const aborted = () => this.#resolve?.();
      signal.addEventListener('abort', aborted, { once: true });
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
      signal.removeEventListener('abort', aborted);
      this.#resolve = undefined;
    }
    this.#called = false;
  }
}
