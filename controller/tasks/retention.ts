import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Store } from '../store/store.ts';

/** How often history is pruned. */
const pruneEveryMs = 10 * 60_000;
/** Tasks deleted at a time, and the pause between, so that pruning never holds up the work. */
const batch = 500;
const pauseMs = 50;

export interface RetentionParts {
  store: Store;
  clock: Clock;
  log: Logger;
  /** What else is removed when nobody needs it any more. */
  houseKeep?: ((signal: AbortSignal) => Promise<void>) | undefined;
  settings: {
    taskRetentionMs: number;
    auditRetentionMs: number;
    eventRetentionMs: number;
    eventRetentionCount: number;
    idempotencyMs: number;
  };
}

/** Manifests and texts are kept so long for whoever is about to use them. */
const manifestMs = 86_400_000;
const textMs = 3_600_000;

/** Deletes history that is older than it has to be kept, in small steps. */
export class Retention {
  readonly #parts: RetentionParts;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    while (!signal.aborted) {
      await clock.sleep(pruneEveryMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.prune(signal);
        await this.#parts.houseKeep?.(signal);
      } catch (error) {
        log.error({ err: error }, 'pruning history failed, the next pass tries again');
      }
    }
  }

  async prune(signal: AbortSignal): Promise<void> {
    const { store, clock, settings } = this.#parts;
    const before = clock.now() - settings.taskRetentionMs;
    while (!signal.aborted && (await store.tasks.prune(before, batch)) === batch) {
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
    await this.#pruneManifests(signal);
    while (!signal.aborted && (await store.schedules.pruneFirings(before, batch)) === batch) {
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
    if (signal.aborted) return;
    await store.runs.prune(before);
    while (!signal.aborted && (await store.sessions.prune(before, batch)) === batch) {
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
    while (!signal.aborted && (await store.questions.prune(before, batch)) === batch) {
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
    if (signal.aborted) return;
    await store.events.prune(settings.eventRetentionCount, clock.now() - settings.eventRetentionMs);
    await store.audit.prune(clock.now() - settings.auditRetentionMs);
    await store.access.pruneIdempotentAnswers(clock.now() - settings.idempotencyMs);
  }

  async #pruneManifests(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#parts;
    for (let gone = batch; gone === batch && !signal.aborted; ) {
      const digests = await store.manifests.prune(clock.now() - manifestMs, batch);
      await store.blobs.release('manifest', digests);
      gone = digests.length;
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
    while (!signal.aborted && (await store.texts.prune(clock.now() - textMs, batch)) === batch) {
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }
}
