import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { Clock } from '../../shared/clock.ts';
import { maxRecordingBytes } from '../../shared/task-types/connect.ts';

/** A complete recording, on disk. */
export interface RecordingFile {
  file: string;
  size: number;
  sha256: string;
}

/** Room for the line that says that the recording ends. */
const lastLineBytes = 256;
/** What the disk did not take yet; beyond it the recording ends rather than the memory. */
const maxWaitingBytes = 8 * 1024 * 1024;

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
    this.#write(
      `${JSON.stringify({ version: 2, width, height, timestamp: Math.floor(clock.now() / 1000), title })}\n`,
    );
  }

  output(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text !== '') this.#event('o', text);
  }

  resize(columns: number, rows: number): void {
    this.#event('r', `${columns}x${rows}`);
  }

  /** Undefined when it could not be written: a full disk must not end the session. */
  async finish(): Promise<RecordingFile | undefined> {
    this.#file.end();
    if (!this.#failure) await once(this.#file, 'close').catch(() => undefined);
    if (this.#failure) return undefined;
    return { file: this.#path, size: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  #event(kind: 'o' | 'r', text: string): void {
    if (this.#isFull || this.#failure) return;
    const seconds = (this.#clock.monotonic() - this.#startedMs) / 1000;
    const line = `${JSON.stringify([seconds, kind, text])}\n`;
    const isTooMuch = this.#bytes + Buffer.byteLength(line) > maxRecordingBytes - lastLineBytes;
    if (!isTooMuch && this.#file.writableLength < maxWaitingBytes) {
      this.#write(line);
      return;
    }
    this.#isFull = true;
    const why = isTooMuch ? 'the recording is full' : 'the disk is too slow for the recording';
    this.#write(`${JSON.stringify([seconds, 'o', `\r\n[${why}]\r\n`])}\n`);
  }

  #write(line: string): void {
    this.#bytes += Buffer.byteLength(line);
    this.#hash.update(line);
    this.#file.write(line);
  }
}
