import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { drained } from '../../shared/node/drained.ts';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import { RecordParser, recordBytes } from '../../shared/tunnel/record.ts';
import { ExitReport, type RecordType } from '../../shared/tunnel/service.ts';

/** Everything of `source` as records of standard input, at the pace of the device; then the end of standard input. */
export async function feedStdin(source: Readable, stream: MuxStream): Promise<void> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    if (stream.destroyed || stream.writableEnded) return;
    writeRecord(stream, 'stdin', chunk);
    await drained(stream);
  }
  stream.end();
}

export function writeRecord(stream: MuxStream, type: RecordType, payload: Uint8Array): boolean {
  let hasRoom = true;
  for (const part of recordBytes(type, payload)) hasRoom = stream.write(part);
  return hasRoom;
}

export function writeResize(stream: MuxStream, { columns, rows }: { columns: number; rows: number }): void {
  const payload = new Uint8Array(4);
  const view = new DataView(payload.buffer);
  view.setUint16(0, columns);
  view.setUint16(2, rows);
  writeRecord(stream, 'resize', payload);
}

/** Reads until the stream ends and returns how the program ended; undefined when the stream was cut before it told. */
export async function readOutput(
  stream: MuxStream,
  out: { stdout: Pick<Writable, 'write'>; stderr: Pick<Writable, 'write'> },
): Promise<ExitReport | undefined> {
  let report: ExitReport | undefined;
  let full: Writable | undefined;
  const parser = new RecordParser((type, payload) => {
    if (type === 'exit') report = ExitReport.parse(JSON.parse(new TextDecoder().decode(payload)));
    if (type !== 'stdout' && type !== 'stderr') return;
    if (out[type].write(payload) === false) full = out[type] as Writable;
  });
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    parser.push(chunk);
    if (full) {
      await once(full, 'drain');
      full = undefined;
    }
  }
  return report;
}
