import { join } from 'node:path';
import { DataFolder } from '../../agent/data-folder.ts';
import { enrol } from '../../agent/enrol.ts';
import { systemClock, systemRandom } from '../../shared/node/system-clock.ts';
import { RunningProgram, runProgram } from './program.ts';

/** A real agent with a data folder of its own, which survives `kill` and `start`. The machine below it is the dummy one, unless told otherwise. */
export class AgentProcess implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly #env: Record<string, string>;
  #startArguments: string[];
  #program: RunningProgram | undefined;

  constructor(
    name: string,
    folder: string,
    options: { startArguments?: string[]; env?: Record<string, string>; dummy?: boolean } = {},
  ) {
    this.name = name;
    this.folder = folder;
    this.#startArguments = [
      ...(options.dummy === false ? [] : ['--dummy']),
      ...(options.startArguments ?? []),
    ];
    this.#env = options.env ?? {};
  }

  async enrol(url: string, token: string): Promise<void> {
    const args = ['enrol', '--data', this.folder, '--url', url, '--token', token, '--name', this.name];
    const { exitCode, stdout, stderr } = await runProgram('agent', args, { env: this.#env });
    if (exitCode !== 0) throw new Error(`enrol ended with ${exitCode}: ${stderr}${stdout}`);
  }

  /** The same within this process: for a fleet, where a program for each enrolment takes longer than all the rest. */
  async enrolHere(url: string, ticket: string): Promise<void> {
    await enrol({
      folder: new DataFolder(this.folder),
      ticket,
      url,
      name: this.name,
      force: false,
      clock: systemClock,
      random: systemRandom,
    });
  }

  get program(): RunningProgram {
    if (!this.#program) throw new Error(`agent ${this.name} was not started`);
    return this.#program;
  }

  start(): void {
    this.#program = new RunningProgram(
      'agent',
      ['start', '--data', this.folder, ...this.#startArguments],
      join(this.folder, 'agent.log'),
      this.#env,
    );
  }

  /** kill -9. */
  kill(): Promise<void> {
    return this.program.end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.kill();
    this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.end('SIGKILL');
  }
}
