import type { z } from 'zod';
import type { Clock, Random } from '../../shared/clock.ts';
import type { LogStream } from '../../shared/protocol/report.ts';
import type { ProbeAttempt } from '../../shared/task-types/sync.ts';
import type { TaskContract } from '../../shared/task-types/task-type.ts';
import type { System } from '../system/system.ts';

/** Everything a handler may touch. */
export interface HandlerContext {
  system: System;
  /** Code of the task. */
  code: string;
  clock: Clock;
  random: Random;
  /** Aborted on a cancel request (`reason` is `TaskError('cancelled')`), at the time-out (`timed_out`), or when the agent stops (`agent_stopping`). */
  signal: AbortSignal;
  timeoutMs: number;
  /** What the controller signed, for whoever must see the signature again; absent for a task that an older agent took. */
  order?: SignedOrder;
  /** Of this agent process. */
  instanceId: string;
  /** One line of output for the task's log; kept within bounds by the runner. */
  output(stream: LogStream, text: string): void;
  /** Tells how far the task is; rate-limited by the runner. */
  progress(progress: { percent?: number; message?: string }): void;
  /** Reports a phase and settles when the controller has committed it. Rejects when `signal` is aborted before. */
  reportPhase(phase: string, message: string): Promise<void>;
  /** Round trip of the link in milliseconds. Waits for a link when there is none; rejects with the signal's reason. */
  roundTrip(signal: AbortSignal): Promise<number>;
  /**
   * Asks a person, and settles with one of the options: the answer, or `safe` when nobody answers in time; without a safe option it
   * rejects with `TaskError('unanswered')`. A task that runs again goes on with the question it asked before. Aborting `withdrawn`
   * withdraws it.
   */
  ask(question: AskWish, withdrawn?: AbortSignal): Promise<string>;
  /** Asks the controller from the agent's own process, where that is another one: rules of the machine may tell them apart. */
  agentProbe?(transaction: string, timeoutMs: number): Promise<ProbeAttempt>;
  /** A note to whoever picks this task up after a crash: on disk when the call returns. */
  journal: Journal;
}

/** The exact text of a `TaskOrder`, and its signature. */
export interface SignedOrder {
  order: string;
  signature: string;
}

/** A question to a person; ten minutes to answer unless said otherwise. */
export interface AskWish {
  prompt: string;
  options: string[];
  safe?: string | null | undefined;
  deadlineMs?: number | undefined;
}

export interface Journal {
  /** What was written last, also by an earlier process; undefined when nothing was. */
  read(): Record<string, unknown> | undefined;
  write(note: Record<string, unknown>): void;
}

/** What a process that finds a task `running` from before knows about it. */
export interface Interrupted {
  /** Boot id and instance id when the task began. */
  bootId: string;
  instanceId: string;
  /** Of now. */
  currentBootId: string;
  startedAt: number;
}

/** Runs tasks of one type. Returns the result (COMPLETED) or throws `TaskError` (FAILED with its code). */
export interface Handler<Parameters = unknown, Result = unknown> {
  contract: TaskContract;
  /** How long it may take to end once it is told to stop; 30 s when absent. */
  stopsWithinMs?: number;
  run(parameters: Parameters, context: HandlerContext): Promise<Result>;
  /**
   * Picks up a task that was `running` when the process or the machine died; `'rerun'` runs it again. Without it the type's `rerun`
   * decides: run again, or FAILED `interrupted`.
   */
  recover?(
    parameters: Parameters,
    interrupted: Interrupted,
    context: HandlerContext,
  ): Promise<Result | 'rerun'>;
}

/** Binds a handler to its contract, with exact types. */
export function handle<P extends z.ZodType, R extends z.ZodType>(
  contract: TaskContract<P, R>,
  run: Handler<z.output<P>, z.input<R>>['run'],
  recover?: Handler<z.output<P>, z.input<R>>['recover'],
): Handler<z.output<P>, z.input<R>> {
  return { contract, run, ...(recover ? { recover } : {}) };
}
