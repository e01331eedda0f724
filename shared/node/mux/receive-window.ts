/** Bytes that all windows of a session may add to their initial size together. */
export class WindowBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

/** Processes are woken so late on a busy machine, however short the path: a window for less would stand empty while they wait. */
const shortestPathMs = 0.5;

/**
 * What one stream of the peer may have under way to us.
 *
 * - It begins small and doubles whenever the peer used all of it within two round trips: then the window was the limit, not the path
 *   (bandwidth-delay product). At 100 ms, 256 KiB would cap a stream at 2.6 MB/s; 8 MiB allow 80 MB/s.
 * - It never grows beyond the session's budget, and what it took is given back when the stream ends.
 */
export class ReceiveWindow {
  static readonly initialBytes = 256 * 1024;
  static readonly maxBytes = 8 * 1024 * 1024;
  readonly #budget: WindowBudget;
  readonly #now: () => number;
  /** Zero until it was measured. */
  roundTripMs = 0;
  #size = ReceiveWindow.initialBytes;
  /** What the peer may still send. */
  #open = ReceiveWindow.initialBytes;
  /** Received, and not yet given back as credit. */
  #taken = 0;
  #sinceMs: number;

  constructor(budget: WindowBudget, now: () => number = () => performance.now()) {
    this.#budget = budget;
    this.#now = now;
    this.#sinceMs = now();
  }

  /** False when the peer sent more than it may. */
  receive(bytes: number): boolean {
    this.#open -= bytes;
    this.#taken += bytes;
    return this.#open >= 0;
  }

  /** `held` of what was received is still unread; returns the credit to send, 0 while it is not worth a frame. */
  consumed(held: number): number {
    const free = this.#taken - held;
    if (free < this.#size / 2) return 0;
    const grown = this.#grow();
    this.#taken -= free;
    this.#open += free + grown;
    return free + grown;
  }

  release(): void {
    this.#budget.giveBack(this.#size - ReceiveWindow.initialBytes);
    this.#size = ReceiveWindow.initialBytes;
  }

  #grow(): number {
    const now = this.#now();
    const tookMs = now - this.#sinceMs;
    this.#sinceMs = now;
    const limited = this.roundTripMs > 0 && tookMs < 2 * Math.max(this.roundTripMs, shortestPathMs);
    if (!limited || this.#size >= ReceiveWindow.maxBytes || !this.#budget.take(this.#size)) return 0;
    const grown = this.#size;
    this.#size *= 2;
    return grown;
  }
}
