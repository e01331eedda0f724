import type { Store } from '../../controller/store/store.ts';

/** Stands for a process that is killed: after so many commits nothing reaches the store any more, nor comes from it. */
export class DyingStore {
  readonly store: Store;
  #left: number;

  constructor(real: Store, commits: number) {
    this.#left = commits;
    const commit = <T>(work: () => Promise<T>): Promise<T> => {
      if (this.#left <= 0) return Promise.reject(new Error('killed'));
      this.#left -= 1;
      return work();
    };
    const isDead = () => this.isDead;
    this.store = new Proxy(real, {
      get(target, name: keyof Store) {
        if (name === 'transaction') return (work: never) => commit(() => target.transaction(work));
        const table: object | undefined = name === 'close' ? undefined : (target[name] as object);
        if (name === 'assistant') return guarded(target.assistant, (call) => commit(call));
        if (table === undefined) return undefined;
        return guarded(table, (call) => (isDead() ? Promise.reject(new Error('killed')) : call()));
      },
    });
  }

  get isDead(): boolean {
    return this.#left <= 0;
  }
}

/** Every call of a table goes through `through`. */
const guarded = (table: object, through: (call: () => Promise<unknown>) => Promise<unknown>): object =>
  new Proxy(table, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...given: unknown[]) => through(() => method.apply(target, given) as Promise<unknown>);
    },
  });
