import type { Clock, Instant } from '../../shared/clock.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import type { LogStream } from '../../shared/protocol/report.ts';
import { type OutputBounds, outputBounds } from '../handlers/output-bounds.ts';
import type { AgentStore } from '../store/agent-store.ts';
import { outputLines } from './output-lines.ts';

interface Line {
  line: number;
  at: Instant;
  writtenAt: Instant;
  stream: LogStream;
  text: string;
}

interface OutputParts {
  code: string;
  store: AgentStore;
  clock: Clock;
  /** By the controller's clock, as far as it is known: what people see. */
  controllerNow: () => Instant;
  onError: (error: unknown) => void;
}

/** The first line goes to disk at once, further ones are collected for so long. */
const collectMs = 50;
/** More than this is not kept in memory: it is written in the middle of the turn. */
const maxCollected = 500;

/**
 * The log of one attempt: numbers lines and writes them to the outbox, many in one transaction. A line that could not be written for
 * want of disk is counted, and the next transaction that succeeds begins with a gap record for what was lost.
 */
export class TaskOutput {
  readonly #parts: OutputParts;
  readonly #bounds: OutputBounds;
  #collected: Line[] = [];
  /** The newest lines of those that came after the bound. */
  #tail: Line[] = [];
  #lines = 0;
  #bytes = 0;
  /** Number of the last line that was written or given up. */
  #settled: number;
  #next: number;
  /** Lines were lost since the last that was written. */
  #lost = false;
  #closed = new AbortController();
  #pumping = false;

  constructor(parts: OutputParts, linesBefore: number, bounds: OutputBounds = outputBounds) {
    this.#parts = parts;
    this.#bounds = bounds;
    this.#settled = linesBefore;
    this.#next = linesBefore + 1;
  }

  write(stream: LogStream, text: string): void {
    if (this.#closed.signal.aborted) return;
    for (const piece of outputLines(text)) this.#add(stream, piece);
    this.#startPump();
  }

  /** Writes what is left. Nothing is taken after it. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new Error('the output is closed'));
    this.#collected.push(...this.#tail);
    this.#tail = [];
    this.#flush();
  }

  /** Accounts for lines that could never be written. Belongs in the transaction that tells the end of the task. */
  tellLost(): void {
    const { code, store, clock } = this.#parts;
    const last = this.#next - 1;
    if (last <= this.#settled) return;
    const gap = { from: this.#settled + 1, to: last, reason: 'disk_full' };
    store.outbox.append('gap', { type: 'task.gap', code, at: clock.now(), ...gap });
    store.tasks.saveLines(code, last);
  }

  #add(stream: LogStream, text: string): void {
    const { clock, controllerNow } = this.#parts;
    const line: Line = { line: this.#next, at: controllerNow(), writtenAt: clock.now(), stream, text };
    this.#next += 1;
    this.#lines += 1;
    this.#bytes += Buffer.byteLength(text);
    const { maxLines, maxBytes, tailLines } = this.#bounds;
    if (this.#tail.length === 0 && this.#lines <= maxLines - tailLines && this.#bytes <= maxBytes) {
      this.#collected.push(line);
      if (this.#collected.length >= maxCollected) this.#flush();
      return;
    }
    this.#tail.push(line);
    if (this.#tail.length > tailLines) this.#tail.shift();
  }

  #startPump(): void {
    if (this.#pumping || this.#collected.length === 0) return;
    this.#pumping = true;
    this.#pump()
      .catch(this.#parts.onError)
      .finally(() => {
        this.#pumping = false;
      });
  }

  async #pump(): Promise<void> {
    const { signal } = this.#closed;
    await Promise.resolve(); // lines of the same turn travel together
    while (this.#collected.length > 0) {
      this.#flush();
      await this.#parts.clock.sleep(collectMs, signal).catch(() => undefined);
    }
  }

  #flush(): void {
    const lines = this.#collected;
    const last = lines.at(-1);
    if (!last) return;
    this.#collected = [];
    const { code, store, clock } = this.#parts;
    try {
      store.write(() => {
        let settled = this.#settled;
        for (const { line, at, writtenAt, stream, text } of lines) {
          if (line > settled + 1) {
            const reason = this.#lost ? 'disk_full' : 'too_much_output';
            const gap = { from: settled + 1, to: line - 1, reason };
            store.outbox.append('gap', { type: 'task.gap', code, at, ...gap });
          }
          store.outbox.append('log', { type: 'task.log', code, at, line, stream, text }, writtenAt);
          settled = line;
        }
        store.tasks.saveLines(code, settled);
        store.outbox.keepBounds(clock.now());
      });
      this.#settled = last.line;
      this.#lost = false;
    } catch (error) {
      // The lines are lost; their numbers are not, so that the next one that can be written tells of the gap.
      if (!isDiskFull(error)) throw error;
      this.#lost = true;
    }
  }
}
