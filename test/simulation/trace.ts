import type { Scheduler } from './scheduler.ts';

/** What happened in one run, as text: its digest tells whether two runs were the same, its lines tell a reader why one failed. */
export class Trace {
  readonly lines: string[] = [];
  readonly #scheduler: Scheduler;
  readonly #keepsLines: boolean;
  #low = 0x811c9dc5;
  #high = 0x01000193;

  constructor(scheduler: Scheduler, keepsLines: boolean) {
    this.#scheduler = scheduler;
    this.#keepsLines = keepsLines;
  }

  add(who: string, what: string): void {
    const line = `${(this.#scheduler.now / 1000).toFixed(3).padStart(9)} ${who.padEnd(12)} ${what}`;
    for (let index = 0; index < line.length; index += 1) {
      const unit = line.charCodeAt(index);
      this.#low = Math.imul(this.#low ^ unit, 0x01000193);
      this.#high = Math.imul(this.#high ^ unit, 0x85ebca6b) ^ (this.#high >>> 15);
    }
    if (this.#keepsLines) this.lines.push(line);
  }

  /** A line for readers only, outside the digest. */
  note(who: string, what: string): void {
    if (this.#keepsLines) this.lines.push(`          ${who.padEnd(12)} ${what}`);
  }

  /** True time. */
  get now(): number {
    return this.#scheduler.now;
  }

  /** Digest of all lines so far. */
  get digest(): string {
    return [this.#low, this.#high].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
