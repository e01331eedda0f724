import type { Readable } from 'node:stream';
import type { Terminal } from '../terminal.ts';
import type { OperatorSession } from './operator-session.ts';
import { feedStdin, readOutput, writeResize } from './terminal-records.ts';

type TtyIn = Readable & { isTTY?: boolean; setRawMode?: (raw: boolean) => void };
type TtyOut = NodeJS.WriteStream;

/** A shell on the device at this terminal, until it ends. `exitCode` is absent when the session was lost. */
export async function runShell(
  session: OperatorSession,
  terminal: Terminal,
): Promise<{ exitCode?: number; reason: string }> {
  const stdin = terminal.stdin as TtyIn;
  const stdout = terminal.stdout as TtyOut;
  const columns = stdout.columns ?? 80;
  const rows = stdout.rows ?? 24;
  const stream = session.stream({
    service: 'shell',
    columns,
    rows,
    term: terminal.env['TERM'] ?? 'xterm-256color',
  });
  const resize = (): void => writeResize(stream, stdout.columns, stdout.rows);
  stdin.setRawMode?.(true);
  stdout.on?.('resize', resize);
  void feedStdin(stdin, stream).catch(() => undefined); // ends with the stream
  try {
    const report = await readOutput(stream, { stdout, stderr: stdout });
    return report ? { exitCode: report.exit_code ?? 1, reason: 'ended' } : { reason: 'the stream was cut' };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  } finally {
    stdin.setRawMode?.(false);
    stdout.off?.('resize', resize);
    stdin.destroy();
  }
}
