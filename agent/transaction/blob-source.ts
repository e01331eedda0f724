import { createHash } from 'node:crypto';
import { TaskError } from '../../shared/errors.ts';
import type { ManifestFile } from '../../shared/manifest.ts';
import type { LiveState } from './drift-gate.ts';
import { collect } from './live-files.ts';
import { once } from './secret-markers.ts';
import { rejected } from './sync-error.ts';
import type { TransactionContext, TransactionParts } from './transaction-parts.ts';

interface Around {
  live: LiveState;
  parts: Pick<TransactionParts, 'machine' | 'transfers'>;
  context: Pick<TransactionContext, 'code' | 'signal'>;
}

/** Larger files are rather fetched again than held in memory. */
const maxHeldBytes = 1_048_576;

/** Blobs of the manifest, each held against its digest: from the controller, or from a file of the device that has the same content. */
export class BlobSource {
  fetchedBytes = 0;
  /** What went wrong first with a blob itself. */
  failure: TaskError | undefined;
  readonly #work: Around;
  readonly #here: Map<string, string>;

  constructor(work: Around) {
    this.#work = work;
    this.#here = new Map([...work.live.files.values()].flat().map(({ sha256, path }) => [sha256, path]));
  }

  async *read(file: ManifestFile, maxBytes: number): AsyncGenerator<Uint8Array> {
    if (file.size > maxBytes) {
      throw rejected(
        'rejected_verify',
        `${file.path} is a blob of ${file.size} bytes; at most ${maxBytes} are allowed`,
      );
    }
    const { parts, context } = this.#work;
    const here = this.#here.get(file.blob);
    const bytes = here === undefined ? undefined : await this.#fromHere(here, file);
    if (bytes) return yield* once(bytes);
    const request = { code: context.code, sha256: file.blob, maxBytes: file.size };
    try {
      yield* this.#checked(parts.transfers.download(request, context.signal), file);
    } catch (error) {
      if (error instanceof TaskError) this.failure ??= error;
      throw error;
    }
  }

  /** Undefined when somebody changed it meanwhile. */
  async #fromHere(path: string, { blob, size }: ManifestFile): Promise<Uint8Array | undefined> {
    if (size > maxHeldBytes) return undefined;
    try {
      const bytes = await collect(this.#work.parts.machine.read(path));
      return createHash('sha256').update(bytes).digest('hex') === blob ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  async *#checked(source: AsyncIterable<Uint8Array>, file: ManifestFile): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of source) {
      size += chunk.byteLength;
      if (size > file.size) break;
      hash.update(chunk);
      yield chunk;
    }
    this.fetchedBytes += size;
    if (size === file.size && hash.digest('hex') === file.blob) return;
    throw rejected(
      'rejected_verify',
      `What came for ${file.path} is not the blob ${file.blob.slice(0, 12)} of ${file.size} bytes that the manifest names`,
    );
  }
}
