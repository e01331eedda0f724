import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './source-files.ts';

/** Programs by which the guard changes the disk. */
const changing = ['mv', 'cp', 'ln', 'rm', 'rmdir', 'sync'];
const rest = '/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Counts everything that a transaction does to the disk, in the agent's process and in the guard's, and kills at the n-th:
 * the guard's whole process group and, with `victim` `both`, the agent too.
 */
export class CrashRig {
  readonly #folder: string;
  readonly #env: Record<string, string>;
  readonly #counter: string;

  constructor(folder: string, options: { at: number; victim: 'both' | 'guard' | 'agent' }) {
    this.#folder = folder;
    this.#counter = join(folder, 'events');
    const programs = join(folder, 'programs');
    mkdirSync(programs, { recursive: true });
    writeFileSync(this.#counter, '0\n');
    const event = `read -r count <'${this.#counter}'; count=$((count + 1)); echo $count >'${this.#counter}'
[ $count -ne ${options.at} ] || ${kills(folder)[options.victim]}`;
    for (const name of changing) {
      const real = ['/usr/bin', '/bin'].map((one) => join(one, name)).find((one) => existsSync(one));
      const script = `#!/bin/sh\n${event}\n${real} "$@"; ended=$?\n${event}\nexit $ended\n`;
      writeFileSync(join(programs, name), script);
      chmodSync(join(programs, name), 0o755);
    }
    this.#env = {
      PATH: rest,
      MUSTER_GUARD_PATH: `${programs}:${rest}`,
      CRASH_COUNTER: this.#counter,
      CRASH_AT: String(options.at),
    };
  }

  /** How much happened until the end. */
  get events(): number {
    return Number(readFileSync(this.#counter, 'utf8'));
  }

  /** Runs the driver's whole transaction, to its end or to the kill. */
  async runTransaction(): Promise<{ killed: boolean; stdout: string }> {
    const harness = join(projectRoot, 'test', 'harness');
    const argv = ['--import', join(harness, 'transaction-crash-preload.js')];
    const driver = join(harness, 'transaction-driver.ts');
    const child = spawn(process.execPath, [...argv, driver, this.#folder], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    writeFileSync(join(this.#folder, 'agent.pid'), `${child.pid}\n`);
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
    const [exitCode, signal] = (await once(child, 'exit')) as [number | null, string | null];
    if (signal === null && exitCode !== 0 && !output.stderr.includes('TaskError'))
      throw new Error(output.stderr);
    return { killed: signal === 'SIGKILL', stdout: output.stdout };
  }

  /** Has the guard roll back, to its end or to the kill; settles when nobody of it is left. */
  async rollBack(transaction: string): Promise<{ killed: boolean }> {
    const child = spawn('/bin/sh', [join(transaction, 'guard.sh'), 'roll-back', transaction, 'recovery'], {
      env: this.#env,
      detached: true,
      stdio: 'ignore',
    });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    return { killed: signal === 'SIGKILL' };
  }
}

const kills = (folder: string): Record<'both' | 'guard' | 'agent', string> => {
  const agent = `read -r agent <'${join(folder, 'agent.pid')}'; kill -9 "$agent"`;
  return { agent: `{ ${agent}; }`, guard: 'kill -9 0', both: `{ ${agent}; kill -9 0; }` };
};
