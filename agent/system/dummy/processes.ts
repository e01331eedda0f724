import type { Clock, Instant } from '../../../shared/clock.ts';
import type { Command, ProcessEnd, Processes } from '../system.ts';
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
  #scriptsMade = 0;

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
    const end = await this.#follow(steps, output, signal);
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

  async #follow(
    steps: Step[],
    output: (stream: 'stdout' | 'stderr', text: string) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<ProcessEnd> {
    for (const step of steps) {
      if (signal.aborted) break;
      if ('print' in step) await output(step.stream ?? 'stdout', step.print);
      else if ('sleepMs' in step) await this.#clock.sleep(step.sleepMs, signal).catch(() => undefined);
      else if ('exitCode' in step) return { exitCode: step.exitCode, signal: null, stopped: false };
      else return { exitCode: null, signal: step.killedBy, stopped: false };
    }
    return signal.aborted
      ? { exitCode: null, signal: 'SIGTERM', stopped: true }
      : { exitCode: 0, signal: null, stopped: false };
  }
}
