import { createHash } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import type { AgentStore } from '../store/agent-store.ts';
import type { Facts } from '../system/system.ts';
import { untilAborted } from './until-aborted.ts';
import { Wake } from './wake.ts';

const everyMs = 60 * 60_000;
/** Facts go in one frame, beside whatever else is under way. */
const maxFactsBytes = 256 * 1024;

export interface FactsSheet {
  digest: string;
  facts: Record<string, unknown>;
}

/** What this machine is: collected at the start and every hour, kept in the database so that the next hello can name its digest. */
export class FactsKeeper {
  readonly #parts: { facts: Facts; store: AgentStore; clock: Clock; log: Logger };
  readonly #onChange: () => void;
  readonly #wake = new Wake();
  #sheet: FactsSheet | undefined;

  constructor(parts: { facts: Facts; store: AgentStore; clock: Clock; log: Logger }, onChange: () => void) {
    this.#parts = parts;
    this.#onChange = onChange;
    const digest = parts.store.kv.get('factsDigest');
    const facts = parts.store.kv.get('facts');
    if (digest && facts) this.#sheet = { digest, facts: JSON.parse(facts) as Record<string, unknown> };
  }

  /** What was collected last, if anything was. */
  get sheet(): FactsSheet | undefined {
    return this.#sheet;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        this.#take(await untilAborted(this.#parts.facts.collect(), signal));
      } catch (error) {
        signal.throwIfAborted();
        this.#parts.log.warn({ err: error }, 'the facts of this machine could not be collected');
      }
      await this.#restUntilWoken(signal);
    }
  }

  /** They may be others now. */
  collectNow(): void {
    this.#wake.notify();
  }

  async #restUntilWoken(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    try {
      await Promise.race([this.#parts.clock.sleep(everyMs, until), this.#wake.wait(until)]);
    } finally {
      over.abort(new Error('rested'));
    }
  }

  #take(facts: Record<string, unknown>): void {
    const text = canonicalJson(facts);
    if (Buffer.byteLength(text) > maxFactsBytes) {
      this.#parts.log.warn(
        { bytes: Buffer.byteLength(text) },
        'the facts of this machine are too long to report',
      );
      return;
    }
    const digest = createHash('sha256').update(text).digest('hex');
    if (digest === this.#sheet?.digest) return;
    this.#sheet = { digest, facts };
    this.#save(digest, text);
    this.#onChange();
  }

  #save(digest: string, text: string): void {
    const { store } = this.#parts;
    try {
      store.write(() => {
        store.kv.set('factsDigest', digest);
        store.kv.set('facts', text);
      });
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }
}

/** The same facts give the same text, in whatever order they were collected. */
export const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([left], [right]) => (left < right ? -1 : 1)))
      : inner,
  );
