import type { Clock, Instant } from '../../shared/clock.ts';

/**
 * The controller's clock as far as this device has learned it. It runs on by the monotonic clock, so that a jump of the device's own
 * wall clock changes nothing.
 */
export class ControllerClock {
  readonly #clock: Clock;
  #learned: { controllerTime: Instant; atMonotonic: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  learn(controllerTime: Instant): void {
    this.#learned = { controllerTime, atMonotonic: this.#clock.monotonic() };
  }

  /** The device's own clock until something was learned. */
  now(): Instant {
    if (!this.#learned) return this.#clock.now();
    return Math.round(this.#learned.controllerTime + this.#clock.monotonic() - this.#learned.atMonotonic);
  }
}
