import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentKib } from './measure.ts';

const living = new Set<ChildProcess>();
const folders = new Set<string>();

process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

/** A folder that goes away with this process. `BENCH_TMP` chooses the disk. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(process.env['BENCH_TMP'] ?? tmpdir(), 'muster-bench-'));
  folders.add(folder);
  return folder;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** A program of ours as a process; its output is shown only when it fails. */
export function startProgram(argv: string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, argv, {
    stdio: ['ignore', process.env['BENCH_LOG'] ? 'inherit' : 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  });
  living.add(child);
  child.once('exit', () => living.delete(child));
  return child;
}

/** Flags for a program whose memory is read: see `heldKib`. */
export const collectable = ['--expose-gc', '--import', new URL('collect-garbage.ts', import.meta.url).href];

/** Resident memory of a program after a collection, in KiB. */
export async function heldKib(pid: number): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    process.kill(pid, 'SIGUSR2');
    await sleep(700);
  }
  return residentKib(pid);
}

export async function stopProgram(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const overdue = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(overdue);
}

export async function waitForPort(port: number): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(20)) {
    const open = await new Promise<boolean>((settle) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        settle(true);
      });
      socket.once('error', () => settle(false));
    });
    if (open) return;
  }
  throw new Error(`nothing listens on 127.0.0.1:${port} after 20 s`);
}

/** A child that answers named questions over IPC. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { settle: (value: never) => void; fail: (error: Error) => void }>();
  #asked = 0;

  constructor(file: string, argv: string[] = []) {
    this.#child = fork(new URL(file, import.meta.url).pathname, argv, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    living.add(this.#child);
    this.#child.on('message', (message: { id: number; value?: never; error?: string }) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) waiting?.settle(message.value as never);
      else waiting?.fail(new Error(message.error));
    });
    this.#child.once('exit', (code) => {
      living.delete(this.#child);
      for (const { fail } of this.#waiting.values()) fail(new Error(`${file} ended with ${code}`));
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the worker did not start');
    return this.#child.pid;
  }

  ask<Answer>(question: string, argument: unknown = {}): Promise<Answer> {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise<Answer>((settle, fail) => {
      this.#waiting.set(id, { settle: settle as (value: never) => void, fail });
      this.#child.send({ id, question, argument });
    });
  }

  stop(): Promise<void> {
    return stopProgram(this.#child);
  }
}

/** In the child: answers the questions of `Worker.ask`. */
export function answer(answers: Record<string, (argument: never) => unknown>): void {
  process.on('message', (message: { id: number; question: string; argument: never }) => {
    void (async () => {
      try {
        process.send?.({ id: message.id, value: await answers[message.question]?.(message.argument) });
      } catch (error) {
        process.send?.({ id: message.id, error: String(error) });
      }
    })();
  });
  process.on('disconnect', () => process.exit(0));
}
