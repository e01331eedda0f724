import { type FileHandle, open, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isFull } from './linux/workspace-durable.ts';

/** What waits in memory at most, and how much of it is worth a request of its own. */
const memoryBytes = 16 * 1024 * 1024;
const worthBytes = 4 * 1024 * 1024;
/** Room on the disk that is left to others. */
const spareBytes = 16 * 1024 * 1024;
const readBytes = 256 * 1024;

interface Piece {
  offset: number;
  length: number;
  /** Absent: it lies on the disk, at its offset. */
  bytes?: Uint8Array | undefined;
  free(): void;
}

/**
 * Encrypted bytes between who makes them and who sends them. Little waits in memory; while the line is slower than the disk the rest goes
 * to a file, so that the files of this device are read at the speed of its disk. Where there is no room the maker waits for the line.
 *
 * - What was let go is gone; what was not can be read again, as often as the connection breaks.
 * - The file is worth nothing after a crash, and so is never brought to the disk by force.
 */
export class Spool implements AsyncDisposable {
  readonly #path: string;
  readonly #pieces: Piece[] = [];
  #file: FileHandle | undefined;
  #size = 0;
  #inMemory = 0;
  /** What was handed out so far: nobody can hold more of it. */
  #shown = 0;
  #proof: { size: number; sha256: string } | undefined;
  #failure: { error: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes a piece, whose memory is given back by `free` once it is not needed. Settles when the next may come; throws what `fail` was told. */
  async append(bytes: Uint8Array, free: () => void): Promise<void> {
    const piece: Piece = { offset: this.#size, length: bytes.length, bytes, free };
    while (this.#inMemory > 0 && this.#inMemory + piece.length > memoryBytes) {
      this.#throwFailure();
      if (await this.#writeOut(piece)) break;
      await this.#changed.promise;
    }
    this.#throwFailure();
    if (piece.bytes) this.#inMemory += piece.length;
    this.#pieces.push(piece);
    this.#size += piece.length;
    this.#notify();
  }

  /** Everything was made, and this is what it is. */
  end(sha256: string): void {
    this.#proof = { size: this.#size, sha256 };
    this.#notify();
  }

  /** Nothing will come any more, or nothing will be taken. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#notify();
  }

  /** Whether somebody may hold what lies before, and what follows can still be read. */
  holds(offset: number): boolean {
    return offset <= this.#shown && offset >= (this.#pieces[0]?.offset ?? this.#size);
  }

  /** Waits until it is worth a request; how many bytes there are behind `offset`. 0: that was all. */
  async ready(offset: number, signal: AbortSignal): Promise<number> {
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined); // told below
    const abort = (): void => aborted.reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
    try {
      for (;;) {
        signal.throwIfAborted();
        this.#throwFailure();
        const there = this.#size - offset;
        if (this.#proof || there >= worthBytes) return there;
        await Promise.race([this.#changed.promise, aborted.promise]);
      }
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Each piece is valid until the next is asked for. */
  async *read(offset: number, end: number): AsyncGenerator<Uint8Array> {
    this.#shown = Math.max(this.#shown, end);
    for (const { offset: begin, length, bytes } of [...this.#pieces]) {
      const from = Math.max(offset - begin, 0);
      const to = Math.min(end - begin, length);
      if (from >= to) continue;
      if (bytes) yield bytes.subarray(from, to);
      else yield* this.#readBack(begin + from, begin + to);
    }
  }

  /** What lies before is not asked for again. */
  letGo(before: number): void {
    for (;;) {
      const [first] = this.#pieces;
      if (first === undefined || first.offset + first.length > before) break;
      this.#pieces.shift();
      if (first.bytes) this.#inMemory -= first.length;
      if (first.bytes) first.free();
    }
    this.#notify();
  }

  /** Once it has ended. */
  proof(): { size: number; sha256: string } {
    if (this.#proof) return this.#proof;
    throw new Error('what is still being made has no digest yet');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fail(new Error('the spool is closed'));
    this.letGo(Number.POSITIVE_INFINITY);
    await this.#file?.close();
    await rm(this.#path, { force: true });
  }

  /** False when there is no room. */
  async #writeOut(piece: Piece): Promise<boolean> {
    const { bavail, bsize } = await statfs(dirname(this.#path));
    if (piece.bytes === undefined || bavail * bsize < piece.length + spareBytes) return false;
    this.#file ??= await open(this.#path, 'w+', 0o600);
    try {
      for (let at = 0; at < piece.length; ) {
        at += (await this.#file.write(piece.bytes, at, piece.length - at, piece.offset + at)).bytesWritten;
      }
    } catch (error) {
      if (isFull(error)) return false;
      throw error;
    }
    piece.bytes = undefined;
    piece.free();
    return true;
  }

  async *#readBack(from: number, to: number): AsyncGenerator<Uint8Array> {
    if (this.#file === undefined) throw new Error('the spool is closed');
    const buffer = Buffer.allocUnsafe(Math.min(readBytes, to - from));
    for (let at = from; at < to; ) {
      const { bytesRead } = await this.#file.read(buffer, 0, Math.min(buffer.length, to - at), at);
      if (bytesRead === 0) throw new Error(`${this.#path} was cut`);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
