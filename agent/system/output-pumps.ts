import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Processes } from './system.ts';

export type Output = Parameters<Processes['run']>[1];

/** How long output that is still held open by a daemon may be silent, and in all go on, after the process itself ended. */
const silentMs = 500;
const lingerMs = 10_000;

/** Moves output from the streams to its taker, one piece at a time, decoded as UTF-8 across the edges of pieces. */
export class OutputPumps {
  readonly #output: Output;
  readonly #failed = new AbortController();
  readonly #streams: Readable[] = [];
  readonly #running: Promise<void>[] = [];
  #pieces = 0;
  #handingOver = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Aborted with the error of a taker that failed. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  add(name: 'stdout' | 'stderr', stream: Readable): void {
    this.#streams.push(stream);
    this.#running.push(this.#pump(name, stream).catch((error: unknown) => this.#failed.abort(error)));
  }

  /** Waits for the end of all output, or gives up on streams that somebody outside the group keeps open. */
  async finish(): Promise<void> {
    const all = Promise.all(this.#running).then(() => true);
    const deadline = performance.now() + lingerMs;
    while (performance.now() < deadline) {
      const before = this.#pieces;
      if (await Promise.race([all, sleep(silentMs, false, { ref: false })])) return;
      if (this.#pieces === before && this.#handingOver === 0) break;
    }
    for (const stream of this.#streams) stream.destroy();
    await all;
  }

  async #pump(name: 'stdout' | 'stderr', stream: Readable): Promise<void> {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    try {
      for await (const piece of stream as AsyncIterable<Uint8Array>) {
        await this.#handOver(name, decoder.decode(piece, { stream: true }));
      }
    } catch (error) {
      if (!isClosed(error)) throw error;
    }
    await this.#handOver(name, decoder.decode());
  }

  async #handOver(name: 'stdout' | 'stderr', text: string): Promise<void> {
    this.#pieces += 1;
    if (text === '') return;
    this.#handingOver += 1;
    try {
      await this.#output(name, text);
    } finally {
      this.#handingOver -= 1;
    }
  }
}

const isClosed = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ABORT_ERR');
