import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { BlobRow } from '../store/blobs.ts';
import type { Store } from '../store/store.ts';
import type { BlobStore } from './blobs.ts';

export interface BlobGarbageParts {
  bytes: BlobStore;
  store: Store;
  clock: Clock;
  log: Logger;
}

/** What nobody holds stays so long: whoever stored it may still be about to say what it is for. */
const graceMs = 86_400_000;
/** How often bytes without a row are looked for: what a crash left between storing them and noting it. */
const strayEveryMs = 86_400_000;
const batch = 200;

/** Deletes blobs that nobody holds. One controller at a time does this over one store. */
export class BlobGarbage {
  readonly #parts: BlobGarbageParts;
  #strayAt = Number.NEGATIVE_INFINITY;

  constructor(parts: BlobGarbageParts) {
    this.#parts = parts;
  }

  async collect(signal?: AbortSignal): Promise<void> {
    const { bytes, store, clock, log } = this.#parts;
    await this.#adoptStray(signal);
    while (!signal?.aborted) {
      const now = clock.now();
      const condemned = await store.blobs.condemn(now - graceMs, now, batch);
      if (condemned.length === 0) return;
      for (const sha256 of condemned) await bytes.delete(sha256);
      await store.blobs.forget(condemned);
      log.info({ blobs: condemned.length }, 'blobs that nobody holds were deleted');
    }
  }

  async #adoptStray(signal?: AbortSignal): Promise<void> {
    const { bytes, store, clock } = this.#parts;
    if (clock.monotonic() - this.#strayAt < strayEveryMs) return;
    this.#strayAt = clock.monotonic();
    const before = clock.now() - graceMs;
    let found: BlobRow[] = [];
    for await (const stray of bytes.list()) {
      if (signal?.aborted) return;
      if (stray.storedAt >= before) continue;
      found.push(stray);
      if (found.length < batch) continue;
      await store.blobs.adopt(found);
      found = [];
    }
    await store.blobs.adopt(found);
  }
}
