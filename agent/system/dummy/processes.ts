import type { Clock, Instant } from '../../../shared/clock.ts';
import { TaskError } from '../../../shared/errors.ts';
import type { AskDoor, AskPerson, Command, ProcessEnd, Processes } from '../system.ts';
import { parseProgram, type Step } from './program.ts';

/** One program that was started on the dummy machine. */
export interface DummyExecution {
  command: Command;
  /** Text of the script file among the arguments, if there was one. */
  script: string | undefined;
  startedAt: Instant;
  /** Undefined while it runs, and for ever when the agent died meanwhile without stopping it. */
  endedAt?: Instant;
  end?: ProcessEnd;
}

/** Decides what a command does; undefined leaves it to the little language of `program.ts`. */
export type Behaviour = (command: Command, script: string | undefined) => Step[] | undefined;

/** Processes in memory. Every start is kept in `executions`, so that a simulation can count them. */
export class DummyProcesses implements Processes {
  readonly executions: DummyExecution[] = [];
  /** Called at every start, before anything else happens. */
  onStart: ((execution: DummyExecution) => void) | undefined;
  behaviour: Behaviour | undefined;
  /** Commands whose program has one of these names cannot be started. */
  readonly failing = new Map<string, Error>();

  readonly #clock: Clock;
  readonly #scripts = new Map<string, string>();
  readonly #doors = new Map<string, AskPerson>();
  #scriptsMade = 0;
  #doorsMade = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async run(
    command: Command,
    output: (stream: 'stdout' | 'stderr', text: string) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<ProcessEnd> {
    signal.throwIfAborted();
    const failure = this.failing.get(command.argv[0]);
    if (failure) throw failure;

    const script = command.argv.map((argument) => this.#scripts.get(argument)).find(Boolean);
    const execution: DummyExecution = { command, script, startedAt: this.#clock.now() };
    this.executions.push(execution);
    this.onStart?.(execution);

    const steps = this.behaviour?.(command, script) ?? parseProgram(script ?? command.argv.join(' '));
    const end = await this.#follow(steps, { command, output, signal });
    execution.endedAt = this.#clock.now();
    execution.end = end;
    return end;
  }

  async scriptFile(text: string): Promise<{ path: string } & AsyncDisposable> {
    this.#scriptsMade += 1;
    const path = `/dummy/script-${this.#scriptsMade}`;
    this.#scripts.set(path, text);
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        this.#scripts.delete(path);
      },
    };
  }

  /** Script files that were not removed. */
  get scriptsLeft(): number {
    return this.#scripts.size;
  }

  async askDoor(_user: string | undefined, ask: AskPerson): Promise<AskDoor> {
    this.#doorsMade += 1;
    const path = `/dummy/ask-${this.#doorsMade}`;
    this.#doors.set(path, ask);
    return {
      env: { MUSTER_ASK_SOCKET: path },
      programs: '/dummy',
      [Symbol.asyncDispose]: async () => {
        this.#doors.delete(path);
      },
    };
  }

  async #follow(steps: Step[], { command, output, signal }: Following): Promise<ProcessEnd> {
    for (const step of steps) {
      if (signal.aborted) break;
      if ('print' in step) await output(step.stream ?? 'stdout', step.print);
      else if ('sleepMs' in step) await this.#clock.sleep(step.sleepMs, signal).catch(() => undefined);
      else if ('ask' in step) {
        const answer = await this.#ask(step.ask, command, signal);
        if (answer === undefined) return { exitCode: 3, signal: null, stopped: false };
        await output('stdout', `${answer}\n`);
      } else if ('exitCode' in step) return { exitCode: step.exitCode, signal: null, stopped: false };
      else return { exitCode: null, signal: step.killedBy, stopped: false };
    }
    return signal.aborted
      ? { exitCode: null, signal: 'SIGTERM', stopped: true }
      : { exitCode: 0, signal: null, stopped: false };
  }

  async #ask(
    question: Parameters<AskPerson>[0],
    { env }: Command,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const ask = this.#doors.get(env['MUSTER_ASK_SOCKET'] ?? '');
    return ask?.(question, signal).catch((error: unknown) => {
      if (error instanceof TaskError || signal.aborted) return undefined;
      throw error;
    });
  }
}

interface Following {
  command: Command;
  output: (stream: 'stdout' | 'stderr', text: string) => void | Promise<void>;
  signal: AbortSignal;
}
