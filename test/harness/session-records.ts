import { once } from 'node:events';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import { RecordParser, recordBytes } from '../../shared/tunnel/record.ts';
import type { RecordType } from '../../shared/tunnel/service.ts';
import { until } from './until.ts';

/** Everything a program said until its stream ended, by kind of record. */
export async function outcome(stream: MuxStream): Promise<Record<'stdout' | 'stderr' | 'exit', string>> {
  const parts: Partial<Record<RecordType, Uint8Array[]>> = {};
  const parser = new RecordParser((type, payload) => (parts[type] ??= []).push(payload));
  for await (const chunk of stream as AsyncIterable<Uint8Array>) parser.push(chunk);
  const text = (type: RecordType): string => Buffer.concat(parts[type] ?? []).toString('latin1');
  return { stdout: text('stdout'), stderr: text('stderr'), exit: text('exit') };
}

/** One record towards the device; false when its stream is full. */
export function write(stream: MuxStream, type: RecordType, payload: Uint8Array): boolean {
  let hasRoom = true;
  for (const part of recordBytes(type, payload)) hasRoom = stream.write(part);
  return hasRoom;
}

/** What a program shows while it runs. */
export class Shown {
  readonly #stream: MuxStream;
  text = '';

  constructor(stream: MuxStream) {
    this.#stream = stream;
    const parser = new RecordParser((type, payload) => {
      if (type === 'stdout') this.text += Buffer.from(payload).toString();
    });
    stream.on('data', (chunk: Buffer) => parser.push(chunk));
  }

  type(text: string): void {
    write(this.#stream, 'stdin', Buffer.from(text));
  }

  resize(columns: number, rows: number): void {
    const size = Buffer.alloc(4);
    size.writeUInt16BE(columns, 0);
    size.writeUInt16BE(rows, 2);
    write(this.#stream, 'resize', size);
  }

  until(words: RegExp): Promise<RegExpExecArray> {
    return until(`the program shows ${words}`, () => words.exec(this.text), { last: () => this.text });
  }

  /** Settles when the stream ended in good order. */
  async ended(): Promise<void> {
    if (!this.#stream.readableEnded) await once(this.#stream, 'end');
  }
}
