import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './source-files.ts';

export type ProgramName = 'controller' | 'agent' | 'muster';
export const programEntry: Record<ProgramName, string> = {
  controller: 'controller/bin.js',
  agent: 'agent/bin.js',
  muster: 'cli/bin.js',
};

export interface ProgramEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Nothing of the caller's own Muster settings reaches a program under test. */
export function cleanEnvironment(extra: Record<string, string>): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && !/^(MUSTER_|VITEST|NODE_OPTIONS|NODE_V8|npm_)/.test(name),
  ) as [string, string][];
  return { ...Object.fromEntries(inherited), NO_COLOR: '1', ...extra };
}

/** Runs one of our programs, as its bin file would be, to its end. */
export async function runProgram(
  name: ProgramName,
  args: string[],
  options: { env?: Record<string, string>; stdin?: string; timeoutMs?: number } = {},
): Promise<ProgramEnd> {
  const child = spawn(process.execPath, [join(projectRoot, programEntry[name]), ...args], {
    env: cleanEnvironment(options.env ?? {}),
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
  });
  const chunks = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (chunks.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (chunks.stderr += text));
  child.stdin.on('error', () => {}).end(options.stdin ?? '');
  const [exitCode, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { exitCode, signal, ...chunks };
}

/** A long-running program: its output goes to a file, and it ends by a signal only. */
export class RunningProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #logPath: string;

  constructor(name: ProgramName, args: string[], logPath: string, env: Record<string, string> = {}) {
    this.#logPath = logPath;
    const log = openSync(logPath, 'a');
    this.#child = spawn(process.execPath, [join(projectRoot, programEntry[name]), ...args], {
      env: cleanEnvironment(env),
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the program could not be started');
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Everything it and its predecessors wrote to the same file. */
  log(): string {
    return readFileSync(this.#logPath, 'utf8');
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isAlive) this.#child.kill(signal);
  }

  /** Sends the signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isAlive) return;
    const ended = once(this.#child, 'exit');
    if (signal !== 'SIGKILL') this.#child.kill('SIGCONT');
    this.#child.kill(signal);
    await ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end('SIGKILL');
  }
}
