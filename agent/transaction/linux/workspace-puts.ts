/** Drafts that are written at a time. */
const maxWriting = 16;
/** Files that the guard renames while it holds its lock once. */
const maxBatch = 100;

interface Put {
  draft: string;
  path: string;
  resolve: () => void;
  reject: (reason: unknown) => void;
}

/**
 * Installations that are asked for at the same time share the guard's look at the journal and the trips to the disk. Those
 * of one batch fail together: what happens then is a rollback anyway.
 */
export class Puts {
  readonly #guard: (pairs: string[]) => Promise<void>;
  readonly #waiting: Put[] = [];
  readonly #turns: (() => void)[] = [];
  #writing = 0;
  #working = false;

  /** `guard` has drafts renamed: draft, path, draft, path, … */
  constructor(guard: (pairs: string[]) => Promise<void>) {
    this.#guard = guard;
  }

  /** Runs `write` when it is its turn; a bounded number of them at a time. */
  async write(write: () => Promise<void>): Promise<void> {
    if (this.#writing >= maxWriting) await new Promise<void>((resolve) => this.#turns.push(resolve));
    else this.#writing++;
    try {
      await write();
    } finally {
      const next = this.#turns.shift();
      if (next) next();
      else this.#writing--;
    }
  }

  put(draft: string, path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ draft, path, resolve, reject });
      if (!this.#working) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, maxBatch);
      try {
        await this.#guard(batch.flatMap(({ draft, path }) => [draft, path]));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#working = false;
  }
}
