import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { cleanEnvironment, programEntry } from './program.ts';
import { projectRoot } from './source-files.ts';
import { until } from './until.ts';

/** How a program of an operator ended; standard output as bytes. */
export interface MusterEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
}

/** The CLI with open pipes, as the admin of a cluster: for what lasts as long as a session does. */
export class MusterProcess implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<MusterEnd>;
  readonly #stdout: Buffer[] = [];
  stderr = '';

  constructor(
    cluster: Cluster,
    args: string[],
    options: { keepOutput?: boolean; env?: Record<string, string> } = {},
  ) {
    this.child = spawn(process.execPath, [join(projectRoot, programEntry.muster), ...args], {
      env: cleanEnvironment({ ...musterEnvironment(cluster), ...options.env }),
    });
    if (options.keepOutput !== false)
      this.child.stdout.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.child.stdin.on('error', () => {}); // it may end before it has read everything
    this.ended = once(this.child, 'close').then(([exitCode, signal]) => ({
      exitCode: exitCode as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  /** Waits for words on standard error. */
  says(words: RegExp, deadlineMs = 20_000): Promise<RegExpExecArray> {
    return until(`muster says ${words}`, () => words.exec(this.stderr), {
      deadlineMs,
      last: () => this.stderr,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** What the CLI needs to act as the admin. */
export const musterEnvironment = (cluster: Cluster): Record<string, string> => ({
  HOME: cluster.folder,
  MUSTER_URL: cluster.controller.url,
  MUSTER_TOKEN: cluster.controller.adminToken,
});

/** One command of the CLI with bytes for its standard input. */
export async function musterBytes(
  cluster: Cluster,
  args: string[],
  stdin: Uint8Array = Buffer.alloc(0),
): Promise<MusterEnd> {
  await using muster = new MusterProcess(cluster, args);
  muster.child.stdin.end(stdin);
  return await muster.ended;
}
