import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { Clock } from '../../shared/clock.ts';

/** A recording ends here and says so; the shell goes on. */
export const maxRecordingBytes = 64 * 1024 * 1024;

export interface FinishedRecording {
  file: string;
  size: number;
  sha256: string;
}

/** A terminal session as asciicast v2: one JSON line of header, then one line per event with seconds since the start. */
export class Recording {
  readonly #clock: Clock;
  readonly #file: WriteStream;
  readonly #path: string;
  readonly #hash = createHash('sha256');
  readonly #startedMs: number;
  readonly #decoder = new TextDecoder();
  #bytes = 0;
  #isFull = false;
  #failure: Error | undefined;

  constructor(path: string, clock: Clock, size: { columns: number; rows: number; title: string }) {
    this.#clock = clock;
    this.#path = path;
    this.#startedMs = clock.monotonic();
    this.#file = createWriteStream(path, { mode: 0o600, flags: 'wx', flush: true });
    this.#file.on('error', (error) => {
      this.#failure = error;
    });
    const { columns: width, rows: height, title } = size;
    this.#line({ version: 2, width, height, timestamp: Math.floor(clock.now() / 1000), title });
  }

  output(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text !== '') this.#event('o', text);
  }

  resize(columns: number, rows: number): void {
    this.#event('r', `${columns}x${rows}`);
  }

  /** Undefined when it could not be written: a full disk must not end the session. */
  async finish(): Promise<FinishedRecording | undefined> {
    this.#file.end();
    if (!this.#failure) await once(this.#file, 'close').catch(() => undefined);
    if (this.#failure) return undefined;
    return { file: this.#path, size: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  #event(kind: 'o' | 'r', text: string): void {
    if (this.#isFull || this.#failure) return;
    const seconds = (this.#clock.monotonic() - this.#startedMs) / 1000;
    if (this.#bytes + text.length * 2 > maxRecordingBytes) {
      this.#isFull = true;
      this.#line([seconds, 'o', '\r\n[the recording is full]\r\n']);
      return;
    }
    this.#line([seconds, kind, text]);
  }

  #line(value: unknown): void {
    const line = `${JSON.stringify(value)}\n`;
    this.#bytes += Buffer.byteLength(line);
    this.#hash.update(line);
    this.#file.write(line);
  }
}
