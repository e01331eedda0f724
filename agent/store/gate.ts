/** Thrown at whoever still uses the store of an agent that was aborted. */
export class StoreClosed extends Error {
  constructor() {
    super('the agent has ended: its store takes nothing more');
    this.name = 'StoreClosed';
  }
}

/** Once closed, nothing passes: an aborted agent must not change the database that its successor works on. */
export class Gate {
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
  }

  /** Throws `StoreClosed` when closed. */
  pass(): void {
    if (this.#closed) throw new StoreClosed();
  }
}
