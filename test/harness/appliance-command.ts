import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface CommandEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
  timeoutMs?: number;
}

/** Runs a program to its end. Throws, with what it wrote, when it takes longer than `timeoutMs`. */
export async function command(argv: string[], options: CommandOptions = {}): Promise<CommandEnd> {
  const [file = '', ...args] = argv;
  const { timeoutMs = 30_000 } = options;
  const child = spawn(file, args, {
    env: options.env ?? process.env,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  child.stdin.on('error', () => {}).end(options.input ?? '');
  const chunks = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (chunks.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (chunks.stderr += chunk));
  const closed = once(child, 'close');
  closed.catch(() => {}); // an error before the exit is told by `exit` too
  const [exitCode, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (child.killed) {
    for (const stream of [child.stdout, child.stderr]) stream.destroy(); // a grandchild may hold them
    throw new Error(`not within ${timeoutMs} ms: ${shown(argv)}\n${chunks.stderr}${chunks.stdout}`);
  }
  await closed;
  return { exitCode, signal, ...chunks };
}

const shown = (argv: string[]): string => argv.join(' ').slice(0, 300);

/** Runs a program that must end with 0, and returns what it wrote to stdout. */
export async function mustRun(argv: string[], options: CommandOptions = {}): Promise<string> {
  const { exitCode, signal, stdout, stderr } = await command(argv, options);
  if (exitCode !== 0) throw new Error(`${shown(argv)} ended with ${exitCode ?? signal}: ${stderr}${stdout}`);
  return stdout;
}

/**
 * A program that says `ready` and then holds something until its stdin ends: when it is disposed of, or when this
 * process ends in whatever way.
 */
export class Holder implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(argv: string[]): Promise<Holder> {
    const [file = '', ...args] = argv;
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true }); // no Ctrl+C before its work is done
    child.stdin.on('error', () => {});
    const complaint = text(child.stderr);
    const said = await Promise.race([
      once(child.stdout, 'data').then(([chunk]) => String(chunk)),
      once(child, 'exit').then(() => 'nothing'),
    ]);
    if (said.trim() !== 'ready') throw new Error(`${shown(argv)} said ${said}: ${await complaint}`);
    child.stdout.resume();
    return new Holder(child);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the program could not be started');
    return this.#child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }
}
