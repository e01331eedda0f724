import type { Clock } from '../../shared/clock.ts';
import type { Store, StoreTables } from '../store/store.ts';

/** Works that share one commit at most: others wait for the store as long. */
const maxTogether = 64;
/** How long the first one waits for others. */
const gatherMs = 3;

interface Waiting {
  /** Does its work and remembers the outcome for `settle`. */
  run(tables: StoreTables): Promise<void>;
  settle(): void;
  fail(error: unknown): void;
}

/**
 * Transactions of many who come at the same time, with one commit for all of them: a commit waits for the disk, and a fleet that reports
 * at once would wait for it a thousand times.
 *
 * - Each work is committed whole or not at all; when one of them throws, nothing of the shared commit counts, and each is tried alone.
 * - Nobody is answered before the commit.
 */
export class SharedCommits {
  readonly #store: Store;
  readonly #clock: Clock;
  #waiting: Waiting[] = [];
  #isDraining = false;

  constructor({ store, clock }: { store: Store; clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  /** `work` may be called twice: what it does outside the tables must be harmless twice. */
  run<T>(work: (tables: StoreTables) => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let outcome: { value: T } | undefined;
    this.#waiting.push({
      run: async (tables) => {
        outcome = { value: await work(tables) };
      },
      settle: () => {
        if (outcome) resolve(outcome.value);
      },
      fail: reject,
    });
    if (!this.#isDraining) void this.#drain();
    return promise;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    while (this.#waiting.length > 0) {
      await this.#clock.sleep(gatherMs);
      const batch = this.#waiting.splice(0, maxTogether);
      const isCommitted = batch.length > 1 && (await this.#commit(batch).then(accepted, refused));
      if (isCommitted) for (const one of batch) one.settle();
      else for (const one of batch) await this.#commitAlone(one);
    }
    this.#isDraining = false;
  }

  #commit(batch: Waiting[]): Promise<void> {
    return this.#store.transaction(async (tables) => {
      for (const one of batch) await one.run(tables);
    });
  }

  async #commitAlone(one: Waiting): Promise<void> {
    try {
      await this.#commit([one]);
      one.settle();
    } catch (error) {
      one.fail(error);
    }
  }
}

const accepted = () => true;
const refused = () => false;
