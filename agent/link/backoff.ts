import type { Random } from '../../shared/clock.ts';
import { DialRefused } from './dial-refused.ts';

const firstCeilingMs = 1_000;
const lastCeilingMs = 60_000;
/** So long in all the waits stay below what the controller named: then it is not back soon, and nobody needs to hurry. */
const keenForMs = 300_000;
/** Wait of a device for which a person has to do something first, when the controller names none. */
const notLetInMs = 30_000;
/** Longest wait that a controller, or whoever answers in its place, can impose. */
const longestNamedMs = 3_600_000;
const notLetIn = new Set([
  'not_approved',
  'disabled',
  'quarantined',
  'not_authenticated',
  'key_ended',
  'forbidden',
  'upgrade_required',
]);

/**
 * How long to wait before the next dial: full jitter under a ceiling that doubles from 1 s to 60 s. After a link was lost the ceiling
 * stays for some minutes below what the controller said fits its fleet. A wait that a refusal named is kept, with jitter on top, so that
 * a fleet that was told the same does not return as one.
 */
export class Backoff {
  readonly #random: Random;
  #failures = 0;
  /** Waited in all since the last healthy link. */
  #waitedMs = 0;
  #keenCeilingMs = lastCeilingMs;
  #clockWasCorrected = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A link that was welcomed and stayed up for a while: the next failure is a first one. */
  healthy(): void {
    this.#failures = 0;
    this.#waitedMs = 0;
    this.#clockWasCorrected = false;
  }

  /** What a welcome said: the ceiling for the first minutes without a link. An older controller says nothing. */
  welcomed(reconnectWithinMs: number | undefined): void {
    this.#keenCeilingMs = Math.max(firstCeilingMs, reconnectWithinMs ?? lastCeilingMs);
  }

  /** Milliseconds to wait after a link ended or a dial failed with `error`. */
  next(error?: unknown): number {
    const waitMs = this.#next(error);
    this.#waitedMs += waitMs;
    return waitMs;
  }

  #next(error: unknown): number {
    if (error instanceof DialRefused) {
      if (error.code === 'clock_skew' && error.controllerTime !== undefined && !this.#clockWasCorrected) {
        this.#clockWasCorrected = true;
        return 0;
      }
      if (notLetIn.has(error.code)) {
        const waitMs = Math.min(error.retryAfterMs ?? notLetInMs, longestNamedMs);
        return Math.round(waitMs * (1 + this.#random.fraction() / 4));
      }
    }
    const highestMs = this.#waitedMs < keenForMs ? this.#keenCeilingMs : lastCeilingMs;
    const ceilingMs = Math.min(lastCeilingMs, highestMs, firstCeilingMs * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    const namedMs = error instanceof DialRefused ? Math.min(error.retryAfterMs ?? 0, longestNamedMs) : 0;
    return namedMs + Math.round(this.#random.fraction() * ceilingMs);
  }
}
