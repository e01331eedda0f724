import { hash, verify } from '@node-rs/argon2';
import { AppError } from '../../shared/errors.ts';

/** argon2id as OWASP asks for it: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** A hash takes a core and 19 MiB for tens of milliseconds: more at once would only starve everything else. */
const maxAtOnce = 2;
const maxWaiting = 100;
/** Of no password anybody knows: who has none is checked against it, and takes as long as everybody. */
const nobodysHash =
  '$argon2id$v=19$m=19456,t=2,p=1$plSTgI0PVxY3z8hwehsRyQ$AxtYU7XTt82r6ajZiMVTwrKMOhHjsYkvjkp2xWgaCWA';

/** Hashes and checks passwords, a few at once; the rest waits in line, and beyond a bound is told to come back. */
export class Passwords {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(normal(password), cost));
  }

  /** `known`: the stored hash; without one the answer is no, as late as any. */
  async matches(password: string, known: string | undefined): Promise<boolean> {
    const same = await this.#inTurn(() => verify(known ?? nobodysHash, normal(password)));
    return same && known !== undefined;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= maxAtOnce) {
      if (this.#waiting.length >= maxWaiting) {
        throw new AppError('unavailable', 'Too many passwords are being checked: try again in a moment', {
          detail: { retry_after_ms: 5_000 },
        });
      }
      // Whoever ends hands its place over.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}

/** The same password typed on another keyboard may come in other code points. */
const normal = (password: string): string => password.normalize('NFKC');
