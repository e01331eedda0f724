import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';

/** A text that grows on the disk, and of which the end can be taken back. */
export class ViewFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  #size = 0;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** Replaces what an earlier try left. */
  static async create(path: string): Promise<ViewFile> {
    return new ViewFile(path, await open(path, 'w', 0o600));
  }

  get size(): number {
    return this.#size;
  }

  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await this.#handle.write(bytes, 0, bytes.length, this.#size);
    this.#size += bytes.length;
  }

  /** Takes back what was written behind the first `size` bytes. */
  async rewind(size: number): Promise<void> {
    await this.#handle.truncate(size);
    this.#size = size;
  }

  /** What the file has come to. */
  async seal(): Promise<{ path: string; size: number; sha256: string }> {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(this.path) as AsyncIterable<Buffer>) hash.update(chunk);
    return { path: this.path, size: this.#size, sha256: hash.digest('hex') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    await rm(this.path, { force: true });
  }
}
