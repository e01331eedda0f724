import type { HandlerContext } from './handler.ts';
import { maxLineBytes, outputBounds } from './output-bounds.ts';

type Stream = 'stdout' | 'stderr';

/** Cuts the output of a process into lines, in the order they were finished, and counts them. */
export class LineOutput {
  readonly lines: Record<Stream, number> = { stdout: 0, stderr: 0 };
  readonly #output: HandlerContext['output'];
  readonly #rest: Record<Stream, string> = { stdout: '', stderr: '' };
  #bytes = 0;
  #lastError = '';

  constructor(output: HandlerContext['output']) {
    this.#output = output;
  }

  /** More output was written than is kept for one task. */
  get truncated(): boolean {
    return (
      this.lines.stdout + this.lines.stderr > outputBounds.maxLines || this.#bytes > outputBounds.maxBytes
    );
  }

  /** The last line on stderr that was not blank, shortened, to explain a failure. */
  get lastError(): string {
    return this.#lastError.trim().slice(0, 300);
  }

  write = (stream: Stream, text: string): void => {
    const pieces = (this.#rest[stream] + text).split('\n');
    // `split` gives at least one piece: what follows the last newline.
    this.#rest[stream] = this.#emitLong(stream, pieces.pop() as string);
    for (const line of pieces) this.#emit(stream, this.#emitLong(stream, line));
  };

  /** Hands over what was not ended by a newline. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#rest[stream] !== '') this.#emit(stream, this.#rest[stream]);
      this.#rest[stream] = '';
    }
  }

  /** Emits whole lines of the greatest length while there is more; returns the rest. */
  #emitLong(stream: Stream, line: string): string {
    let from = 0;
    while (line.length - from > maxLineBytes) {
      const piece = line.slice(from, from + maxLineBytes);
      const halved = /[\ud800-\udbff]$/.test(piece); // never cut a character in two
      const whole = halved ? piece.slice(0, -1) : piece;
      this.#emit(stream, whole);
      from += whole.length;
    }
    return from === 0 ? line : line.slice(from);
  }

  #emit(stream: Stream, line: string): void {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    this.lines[stream] += 1;
    this.#bytes += Buffer.byteLength(text);
    if (stream === 'stderr' && text.trim() !== '') this.#lastError = text;
    this.#output(stream, text);
  }
}
