import { drained } from '../../shared/node/drained.ts';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import { RecordParser } from '../../shared/tunnel/record.ts';
import type { OpenRequest } from '../../shared/tunnel/service.ts';
import type { Streams, Terminal } from '../system/streams/streams.ts';
import { closeWith, deliverSignal, send, sendExit } from './exec-service.ts';
import type { Recording } from './recording.ts';

type ShellRequest = Extract<OpenRequest, { service: 'shell' }>;

/** A login shell for a stream. The shell does not outlive the stream. */
export async function serveShell(
  stream: MuxStream,
  { columns, rows, term }: ShellRequest,
  parts: { streams: Streams; user: string | undefined; recording: Recording | undefined },
): Promise<void> {
  const { streams, user, recording } = parts;
  const terminal = await streams.terminal({ columns, rows, term, ...(user === undefined ? {} : { user }) });
  closeWith(stream, terminal);
  if (recording) terminal.output.on('data', (bytes: Buffer) => recording.output(bytes));
  await Promise.all([feed(stream, terminal, recording), tell(stream, terminal)]);
}

async function tell(stream: MuxStream, terminal: Terminal): Promise<void> {
  await send(stream, 'stdout', terminal.output);
  const end = await terminal.ended;
  await sendExit(stream, { exit_code: end.exitCode, signal: end.signal });
  stream.end();
}

async function feed(stream: MuxStream, terminal: Terminal, recording: Recording | undefined): Promise<void> {
  const parser = new RecordParser((type, payload) => {
    if (type === 'stdin' && terminal.input.writable) terminal.input.write(payload);
    if (type === 'resize' && payload.length === 4) {
      const view = new DataView(payload.buffer, payload.byteOffset);
      const columns = view.getUint16(0) || 80;
      const rows = view.getUint16(2) || 24;
      terminal.resize(columns, rows);
      recording?.resize(columns, rows);
    }
    if (type === 'signal') deliverSignal(payload, (name) => terminal.signal(name));
  });
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    parser.push(chunk);
    await drained(terminal.input);
  }
}
