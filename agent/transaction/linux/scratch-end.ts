import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { TaskError } from '../../../shared/errors.ts';

const program = join(import.meta.dirname, 'scratch-end.js');

const Answer = z.object({
  id: z.string(),
  ok: z.boolean().default(true),
  ms: z.number().default(0),
  error: z.string().optional(),
});
type Answer = z.output<typeof Answer>;

/** One network namespace without a name: it lasts as long as the process in it, which ends with this agent at the latest. */
export class ScratchEnd implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, (answer: Answer) => void>();
  readonly #ended: Promise<void>;
  #requests = 0;
  #complaint = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdin?.on('error', () => {}); // told by `exit`
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = `${this.#complaint}${text}`.slice(-1000);
    });
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => this.#take(line));
    this.#ended = new Promise((resolve) => {
      const end = (error?: unknown): void => {
        const reason = `it ended: ${error instanceof Error ? error.message : this.#complaint.trim()}`;
        for (const [id, settle] of this.#waiting) settle({ id, ok: false, ms: 0, error: reason });
        this.#waiting.clear();
        resolve();
      };
      child.once('error', end).once('exit', () => end());
    });
  }

  static async open(): Promise<ScratchEnd> {
    // A group of its own: a signal to the agent's group leaves it to the agent to end this.
    const argv = ['--net', '--', process.execPath, '--max-old-space-size=32', program];
    const child = spawn('unshare', argv, { cwd: '/', env: {}, detached: true, stdio: 'pipe' });
    const end = new ScratchEnd(child);
    const { ok, error } = await end.#answerTo('ready');
    if (ok) return end;
    throw new TaskError('no_scratch', `No network namespace can be had for trying rules out: ${error}`);
  }

  /** Of the process in the namespace. */
  get pid(): number {
    return this.#child.pid ?? 0; // open: it has one
  }

  /** Answers at the address as an echo. */
  async listen(host: string, port: number): Promise<void> {
    const { ok, error } = await this.#ask({ request: 'listen', host, port });
    if (!ok) throw new TaskError('no_scratch', `Nothing can listen on ${host} port ${port} there: ${error}`);
  }

  /** A new connection from here, and an answer over it. */
  async connect(
    host: string,
    port: number,
    timeoutMs: number,
  ): Promise<{ ok: boolean; ms: number; error?: string }> {
    const { ok, ms, error } = await this.#ask({ request: 'connect', host, port, timeoutMs });
    return { ok, ms, ...(error === undefined ? {} : { error }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }

  #ask(request: Record<string, unknown>): Promise<Answer> {
    const id = String(++this.#requests);
    const answer = this.#answerTo(id);
    this.#child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    return answer;
  }

  #answerTo(id: string): Promise<Answer> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      return Promise.resolve({ id, ok: false, ms: 0, error: `it ended: ${this.#complaint.trim()}` });
    }
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #take(line: string): void {
    const answer = Answer.parse(JSON.parse(line));
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }
}
