import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';

/** When a terminal that took nothing is tried again; it cannot be waited for. Milliseconds. */
const retryMs = 10;

/** What the library keeps to itself: the file of the terminal, and whether it is closed already. */
interface Inside {
  readonly fd: number;
  readonly _socket: { readonly destroyed: boolean };
}

/**
 * What is typed into a terminal. The library writes in a loop that nothing else of this process interrupts, for as long as the program
 * does not read: here what is not taken waits instead. What is typed after the end goes nowhere.
 */
export class TerminalInput extends Writable {
  readonly #inside: Inside;

  constructor(pty: object) {
    super();
    this.#inside = pty as Inside;
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#inside._socket.destroyed) return done(); // its number may be another file's by now
    const left = bytes.subarray(this.#take(bytes));
    if (left.length === 0) return done();
    const again = (): void => this._write(left, _encoding, done);
    if (left.length < bytes.length) setImmediate(again);
    else setTimeout(again, retryMs);
  }

  #take(bytes: Buffer): number {
    try {
      return writeSync(this.#inside.fd, bytes);
    } catch (error) {
      const isFull = (error as NodeJS.ErrnoException).code === 'EAGAIN';
      return isFull ? 0 : bytes.length; // the program is gone
    }
  }
}
