import type { Clock } from '../../shared/clock.ts';
import type { Scheduler } from './scheduler.ts';

/** Wall clock of one machine: right, unless somebody turned it. */
export class WallClock {
  /** What it is wrong by, in milliseconds. */
  offsetMs = 0;
  readonly #scheduler: Scheduler;
  readonly #bornAt: number;

  constructor(scheduler: Scheduler, bornAt: number) {
    this.#scheduler = scheduler;
    this.#bornAt = bornAt;
  }

  now(): number {
    return Math.floor(this.#bornAt + this.#scheduler.now + this.offsetMs);
  }
}

/**
 * One life of a program. From its death on it has no effect: its sleeps never settle, and whoever asks `alive` first does nothing
 * for it any more.
 */
export class Process {
  readonly name: string;
  readonly clock: Clock;
  #alive = true;
  readonly #onDeath: (() => void)[] = [];

  constructor(name: string, scheduler: Scheduler, wall: WallClock) {
    this.name = name;
    this.clock = processClock(this, scheduler, wall);
  }

  get alive(): boolean {
    return this.#alive;
  }

  onDeath(work: () => void): void {
    this.#onDeath.push(work);
  }

  die(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const work of this.#onDeath) work();
  }
}

/** Thrown into the code of a dead process, so that it gets no further. */
export class ProcessDied extends Error {
  constructor(name: string) {
    super(`${name} is dead`);
    this.name = 'ProcessDied';
  }
}

function processClock(process: Process, scheduler: Scheduler, wall: WallClock): Clock {
  const startedAt = scheduler.now;
  return {
    now: () => wall.now(),
    monotonic: () => scheduler.now - startedAt,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const abort = (): void => {
          if (process.alive) reject(signal?.reason as Error);
        };
        if (signal?.aborted) {
          abort();
          return;
        }
        signal?.addEventListener('abort', abort, { once: true });
        scheduler.after(ms, () => {
          signal?.removeEventListener('abort', abort);
          if (process.alive) resolve();
        });
      }),
  };
}
