import { spawnSync } from 'node:child_process';
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
  const stream = session.stream({
    service: 'shell',
    ...sizeOf(stdout),
    term: terminal.env['TERM'] ?? 'xterm-256color',
  });
  const resize = (): void => writeResize(stream, sizeOf(stdout));
  enterRawMode(stdin);
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

/**
 * Every byte as it is, in both directions. Node.js leaves the translation of line feeds on, and a program that moves down by a line
 * feed would be moved to the first column too. Leaving raw mode restores everything.
 */
function enterRawMode(stdin: TtyIn): void {
  stdin.setRawMode?.(true);
  if (stdin.isTTY) spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

/** A terminal that was never told its size says 0. */
const sizeOf = ({ columns, rows }: TtyOut): { columns: number; rows: number } => ({
  columns: Math.min(columns || 80, 1000),
  rows: Math.min(rows || 24, 1000),
});
