import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../bin.js', import.meta.url));

export interface MusterEnd {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface MusterOptions {
  url?: string;
  env?: Record<string, string>;
  stdin?: string;
}

/** A command line that runs: the real program as a process of its own. */
export class Muster {
  stdout = '';
  stderr = '';
  readonly ended: Promise<MusterEnd>;
  readonly #child: ChildProcess;

  constructor(command: string, args: string[], { url, env, stdin }: MusterOptions) {
    this.#child = spawn(command, args, {
      env: {
        PATH: process.env.PATH ?? '',
        HOME: '/nonexistent',
        MUSTER_TIMEZONE: 'UTC',
        MUSTER_TOKEN: 'token-1',
        ...(url === undefined ? {} : { MUSTER_URL: url }),
        ...env,
      },
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#child.stdin?.on('error', () => undefined);
    if (stdin !== undefined) this.#child.stdin?.end(stdin);
    this.ended = once(this.#child, 'close').then(([exitCode]) => ({
      exitCode: exitCode as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }
}

export const startMuster = (args: string[], options: MusterOptions = {}): Muster =>
  new Muster(process.execPath, [bin, ...args], { stdin: '', ...options });

export const runMuster = (args: string[], options: MusterOptions = {}): Promise<MusterEnd> =>
  startMuster(args, options).ended;

/** On a pseudo-terminal made by util-linux’s `script`; stdout and stderr come as one. */
export const startOnTerminal = (args: string[], options: MusterOptions = {}): Muster =>
  new Muster(
    'script',
    ['--quiet', '--return', '--echo', 'never', '--command', shellCommand(args), '/dev/null'],
    options,
  );

export function hasTerminals(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}

const shellCommand = (args: string[]): string =>
  [process.execPath, bin, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
