import type { ControllerCore } from '../../controller/core.ts';
import { organizationId } from './controller-node.ts';
import type { Ledger } from './ledger.ts';
import { type Process, ProcessDied } from './process.ts';

/** Somebody who follows the stream of events, and resumes at the last cursor when the controller comes back. */
export class EventReader {
  /** Cursors in the order they came. */
  readonly seen: number[] = [];
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  follow(core: ControllerCore, process: Process): void {
    this.#read(core, process).catch((error: unknown) => {
      if (process.alive && !(error instanceof ProcessDied)) {
        this.#ledger.bugs.push(`the stream of events failed: ${String(error)}`);
      }
    });
  }

  async #read(core: ControllerCore, process: Process): Promise<void> {
    const { signal } = new AbortController();
    for await (const item of core.events.subscribe({ organizationId }, this.seen.at(-1) ?? 0, signal)) {
      if (!process.alive) return;
      if (item.kind === 'event') this.seen.push(item.event.cursor);
      else this.#ledger.bugs.push(`the stream of events was reset to ${item.oldest}`);
    }
  }
}
