import { join } from 'node:path';
import type { Task } from '../../shared/api/tasks.ts';
import { freePort } from './free-port.ts';
import { RunningProgram, runProgram } from './program.ts';
import { until } from './until.ts';

export interface ApiAnswer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** A real controller on a port and a data folder of its own, which survive `kill` and `start`. */
export class ControllerProcess implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly adminToken: string;
  readonly enrolmentToken: string;
  readonly #startArguments: string[];
  #program: RunningProgram | undefined;

  private constructor(
    folder: string,
    port: number,
    init: { admin_token: string; enrolment_token: string },
    startArguments: string[],
  ) {
    this.folder = folder;
    this.port = port;
    this.adminToken = init.admin_token;
    this.enrolmentToken = init.enrolment_token;
    this.#startArguments = startArguments;
  }

  /** `muster-controller init`, then `start`. */
  static async create(
    folder: string,
    options: { startArguments?: string[]; publicUrl?: (port: number) => string } = {},
  ): Promise<ControllerProcess> {
    const port = await freePort();
    const url = options.publicUrl?.(port) ?? `http://127.0.0.1:${port}`;
    const args = ['init', '--data', folder, '--url', url, '-f', 'json'];
    const { exitCode, stdout, stderr } = await runProgram('controller', args);
    if (exitCode !== 0) throw new Error(`init ended with ${exitCode}: ${stderr}${stdout}`);
    const controller = new ControllerProcess(
      folder,
      port,
      JSON.parse(stdout) as { admin_token: string; enrolment_token: string },
      options.startArguments ?? [],
    );
    await controller.start();
    return controller;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get program(): RunningProgram {
    if (!this.#program) throw new Error('the controller was not started');
    return this.#program;
  }

  async start(): Promise<void> {
    this.#program = new RunningProgram(
      'controller',
      ['start', '--data', this.folder, '--listen', `127.0.0.1:${this.port}`, ...this.#startArguments],
      join(this.folder, 'controller.log'),
    );
    const started = this.#program;
    await until(
      'the controller is ready',
      async () => {
        if (!started.isAlive) throw new Error(`it ended with ${started.exitCode}: ${started.log()}`);
        return (await fetch(`${this.url}/readyz`)).ok;
      },
      { last: () => started.log() },
    );
  }

  /** kill -9. */
  kill(): Promise<void> {
    return this.program.end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** One request as the admin; `body` is sent as JSON. */
  async api(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ApiAnswer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.adminToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json: unknown = text === '' ? {} : JSON.parse(text);
    return { status: response.status, headers: response.headers, body: json as Record<string, unknown> };
  }

  /** Like `api`, and anything but success is an error. */
  async call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await this.api(method, path, body);
    if (answer.status >= 300) {
      throw new Error(`${method} ${path} → ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  /** Creates a run and returns the codes of its tasks, in the order of the answer. */
  async run(request: Record<string, unknown>): Promise<string[]> {
    const answer = await this.call('POST', '/api/v1/organizations/default/tasks', request);
    return (answer['tasks'] as { task: string }[]).map(({ task }) => task);
  }

  async task(code: string): Promise<Task> {
    return (await this.call('GET', `/api/v1/tasks/${code}`)) as Task;
  }

  /** Waits for the first of these states. */
  async reaches(code: string, states: Task['status'][], deadlineMs = 60_000): Promise<Task> {
    let last: Task | undefined;
    return until(
      `task ${code} is ${states.join(' or ')}`,
      async () => {
        last = await this.task(code);
        return states.includes(last.status) ? last : undefined;
      },
      { deadlineMs, last: () => last },
    );
  }

  ended(code: string, deadlineMs?: number): Promise<Task> {
    return this.reaches(code, ['COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED'], deadlineMs);
  }

  async logs(code: string): Promise<string[]> {
    const page = await this.call('GET', `/api/v1/tasks/${code}/logs?limit=1000`);
    return (page['items'] as { text: string }[]).map(({ text }) => text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.end('SIGKILL');
  }
}
