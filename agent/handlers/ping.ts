import { TaskError } from '../../shared/errors.ts';
import { Ping } from '../../shared/task-types/ping.ts';
import { handle, type HandlerContext } from './handler.ts';
import { LineOutput } from './line-output.ts';
import { parsePingOutput } from './ping-output.ts';

/** Characters of output that the result repeats; the log has all lines. */
const maxOutput = 16_384;
/** The summary is among the last lines, also when a flood of replies fills the text above. */
const summaryLines = 20;

/** Measures the link or, with a host, lets the device ping that host. */
export const ping = handle(Ping, async ({ host, count }, context) => {
  if (host === undefined) return { round_trip_ms: rounded(await context.roundTrip(context.signal)) };
  return pingHost(host, count, context);
});

async function pingHost(host: string, count: number, { system, output, signal }: HandlerContext) {
  let text = '';
  const lastLines: string[] = [];
  const lines = new LineOutput((stream, line) => {
    if (text.length < maxOutput) text = `${text}${line}\n`.slice(0, maxOutput);
    if (lastLines.push(line) > summaryLines) lastLines.shift();
    output(stream, line);
  });
  const end = await system.processes.run(
    { argv: ['ping', '-n', '-c', String(count), '--', host], env: { LC_ALL: 'C' } },
    lines.write,
    signal,
  );
  lines.end();
  if (end.stopped) signal.throwIfAborted();

  const summary = parsePingOutput(lastLines.join('\n'));
  if (!summary)
    throw new TaskError('ping_failed', `ping could not ping ${host}: ${lines.lastError || ended(end)}`);

  const { sent, received, meanMs } = summary;
  const result = { round_trip_ms: meanMs, host, sent, received, output: text };
  if (received === 0) {
    throw new TaskError('no_reply', `${host} answered none of ${sent} echo requests`, { result });
  }
  return result;
}

const ended = (end: { exitCode: number | null; signal: string | null }): string =>
  end.exitCode === null ? `it was killed by ${end.signal}` : `it ended with exit code ${end.exitCode}`;

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
