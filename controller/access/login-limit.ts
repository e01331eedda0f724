import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { RateLimit } from '../devices/rate-limit.ts';

/** Attempts for one e-mail: ten, then one in half a minute. A good one clears the count. */
const perEmail = { perSecond: 1 / 30, burst: 10 };
/** Attempts from one address, good ones too: many people may sit behind it. */
const perAddress = { perSecond: 1, burst: 60 };
/** E-mails and addresses remembered; beyond it the one not seen for longest is forgotten. */
const maxRemembered = 10_000;

/** How often somebody may try to log in: per e-mail, whether it has an account or not, and per address. */
export class LoginLimit {
  readonly #emails: Buckets;
  readonly #addresses: Buckets;

  constructor(clock: Clock) {
    this.#emails = new Buckets(clock, perEmail);
    this.#addresses = new Buckets(clock, perAddress);
  }

  /** Counts one attempt before the password is looked at. Throws `too_many_requests`. */
  attempt(email: string, address: string): void {
    const waitMs = this.#addresses.take(address) || this.#emails.take(email);
    if (waitMs === 0) return;
    const seconds = Math.ceil(waitMs / 1000);
    throw new AppError('too_many_requests', `Too many attempts to log in: try again in ${seconds} s`, {
      detail: { retry_after_ms: seconds * 1000 },
    });
  }

  succeeded(email: string): void {
    this.#emails.forget(email);
  }
}

class Buckets {
  readonly #clock: Clock;
  readonly #rate: { perSecond: number; burst: number };
  /** In the order of their last use. */
  readonly #byKey = new Map<string, RateLimit>();

  constructor(clock: Clock, rate: { perSecond: number; burst: number }) {
    this.#clock = clock;
    this.#rate = rate;
  }

  take(key: string): number {
    const bucket = this.#byKey.get(key) ?? new RateLimit(this.#clock, this.#rate.perSecond, this.#rate.burst);
    this.#byKey.delete(key);
    this.#byKey.set(key, bucket);
    const oldest = this.#byKey.keys().next().value;
    if (this.#byKey.size > maxRemembered && oldest !== undefined) this.#byKey.delete(oldest);
    return bucket.take();
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }
}
