import type { Readable } from 'node:stream';
import { drained } from '../../shared/node/drained.ts';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import { RecordParser, recordBytes } from '../../shared/tunnel/record.ts';
import { type OpenRequest, type RecordType, sentSignals } from '../../shared/tunnel/service.ts';
import type { OpenProgram, Streams } from '../system/streams/streams.ts';

type ExecRequest = Extract<OpenRequest, { service: 'exec' }>;

/** Runs a program for a stream; the last record says how it ended. The program does not outlive the stream. */
export async function serveExec(
  stream: MuxStream,
  { argv, env, cwd }: ExecRequest,
  streams: Streams,
  user: string | undefined,
): Promise<void> {
  const [first = '', ...rest] = argv;
  const program = await streams.program({
    argv: [first, ...rest],
    env,
    ...(cwd === undefined ? {} : { cwd }),
    ...(user === undefined ? {} : { user }),
  });
  closeWith(stream, program);
  await Promise.all([feed(stream, program), tell(stream, program)]);
}

async function tell(stream: MuxStream, program: OpenProgram): Promise<void> {
  await Promise.all([send(stream, 'stdout', program.stdout), send(stream, 'stderr', program.stderr)]);
  const end = await program.ended;
  await sendExit(stream, { exit_code: end.exitCode, signal: end.signal });
  stream.end();
}

/** Standard input, and signals, until the operator's side ends. */
async function feed(stream: MuxStream, program: OpenProgram): Promise<void> {
  const parser = new RecordParser((type, payload) => {
    if (type === 'stdin' && program.stdin.writable) program.stdin.write(payload);
    if (type === 'signal') deliverSignal(payload, (name) => program.signal(name));
  });
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    parser.push(chunk);
    await drained(program.stdin);
  }
  program.stdin.end();
}

/** What was started for a stream ends with it, also when the stream was over before it had started. */
export function closeWith(stream: MuxStream, started: { close(): Promise<void> }): void {
  if (stream.closed) void started.close();
  else stream.once('close', () => void started.close());
}

/** Only signals of the list; anything else is ignored. */
export function deliverSignal(payload: Uint8Array, deliver: (name: NodeJS.Signals) => void): void {
  const name = new TextDecoder().decode(payload);
  const known = sentSignals.find((one) => one === name);
  if (known) deliver(known);
}

/** Everything of `source` as records, at the pace of the reader. */
export async function send(stream: MuxStream, type: RecordType, source: Readable): Promise<void> {
  for await (const chunk of source as AsyncIterable<Uint8Array>) await sendRecord(stream, type, chunk);
}

export const sendExit = (
  stream: MuxStream,
  report: { exit_code: number | null; signal: string | null },
): Promise<void> => sendRecord(stream, 'exit', new TextEncoder().encode(JSON.stringify(report)));

async function sendRecord(stream: MuxStream, type: RecordType, payload: Uint8Array): Promise<void> {
  let hasRoom = true;
  for (const part of recordBytes(type, payload)) hasRoom = stream.write(part);
  if (hasRoom || stream.destroyed) return;
  await drained(stream);
  if (stream.destroyed) throw new Error('the stream is over');
}
