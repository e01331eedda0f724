/** A moment by the wall clock: milliseconds since 1970-01-01T00:00:00Z. It may jump; durations come from `monotonic`. */
export type Instant = number;

/** Time as the logic sees it, so that a simulation can replace it. */
export interface Clock {
  now(): Instant;
  /** Milliseconds from some fixed point in this process; never goes back. */
  monotonic(): number;
  /** Settles after `ms`; rejects with the signal's reason as soon as it is aborted. Unaffected by jumps of the wall clock. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Randomness as the logic sees it. */
export interface Random {
  /** A number in [0, 1), for jitter. */
  fraction(): number;
  /** Unpredictable bytes: keys, tokens, codes. */
  bytes(count: number): Uint8Array;
  uuid(): string;
}
