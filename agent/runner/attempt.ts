import type { Clock, Instant, Random } from '../../shared/clock.ts';
import { TaskError } from '../../shared/errors.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Handler, HandlerContext, Interrupted, Journal, SignedOrder } from '../handlers/handler.ts';
import type { Acknowledgements } from '../store/acknowledgements.ts';
import type { AgentStore } from '../store/agent-store.ts';
import type { StoredTask } from '../store/task-table.ts';
import type { Questions } from './questions.ts';
import { failureOf, type TaskEnd } from './task-end.ts';
import { TaskOutput } from './task-output.ts';
import { TaskProgress } from './task-progress.ts';

/** What every attempt works with. */
export interface AttemptServices {
  store: AgentStore;
  acknowledgements: Acknowledgements;
  system: HandlerContext['system'];
  clock: Clock;
  random: Random;
  /** The controller's clock, as far as it is known: for what people see, never for a deadline. */
  controllerNow: () => Instant;
  log: Logger;
  instanceId: string;
  roundTrip: (signal: AbortSignal) => Promise<number>;
  questions: Questions;
  /** Told about failures that nobody waits for. */
  onError: (error: unknown) => void;
}

/** How an attempt came out: an end, a wish to be run again, or stopped because the agent stops. */
export type Outcome = TaskEnd | { kind: 'rerun' } | { kind: 'stopped' };

/** A handler that was told to stop and does not come back in this time is left alone. */
const defaultStuckAfterMs = 30_000;

/**
 * One call of a task's handler, with its time-out, its cancel and its output.
 *
 * - The first reason to stop wins; what the handler throws after it is a consequence of it.
 * - A handler that returns in spite of a reason to stop, or fails with a result, has finished its work: that is the truth.
 */
export class Attempt {
  readonly task: StoredTask;
  readonly #handler: Handler;
  readonly #services: AttemptServices;
  readonly #stop = new AbortController();
  readonly #output: TaskOutput;
  readonly #progress: TaskProgress;

  constructor(task: StoredTask, handler: Handler, services: AttemptServices) {
    this.task = task;
    this.#handler = handler;
    this.#services = services;
    const { store, clock, controllerNow, onError } = services;
    this.#output = new TaskOutput({ code: task.code, store, clock, controllerNow, onError }, task.lines);
    this.#progress = new TaskProgress({ task, store, clock, onError });
  }

  stop(reason: TaskError): void {
    this.#stop.abort(reason);
  }

  /** Why it was told to stop, if it was. */
  get stopReason(): TaskError | undefined {
    return this.#stop.signal.aborted ? (this.#stop.signal.reason as TaskError) : undefined;
  }

  /** Runs the handler, or lets it pick up what was interrupted. Never rejects for a failure of the task. */
  async run(interrupted?: Interrupted): Promise<Outcome> {
    if (this.stopReason) return stoppedBy(this.stopReason);
    const over = new AbortController();
    this.#endAtTimeout(over.signal);
    try {
      return await Promise.race([this.#call(interrupted), this.#whenStuck(over.signal)]);
    } finally {
      over.abort(new Error('the attempt is over'));
      this.#progress.close();
      if (!this.#services.store.closed) this.#output.close();
    }
  }

  /** See `TaskOutput.tellLost`. */
  tellLostLines(): void {
    this.#output.tellLost();
  }

  async #call(interrupted: Interrupted | undefined): Promise<Outcome> {
    try {
      const parameters = this.#parameters();
      const context = this.#context();
      const result =
        interrupted && this.#handler.recover
          ? await this.#handler.recover(parameters, interrupted, context)
          : await this.#handler.run(parameters, context);
      return result === 'rerun' ? { kind: 'rerun' } : this.#completed(result);
    } catch (error) {
      return this.#outcomeOf(error);
    }
  }

  #parameters(): unknown {
    const outcome = this.#handler.contract.parameters.safeParse(JSON.parse(this.task.parameters));
    if (outcome.success) return outcome.data;
    throw new TaskError(
      'bad_parameters',
      `This version of the agent does not understand the parameters of ${this.task.type}`,
      { cause: outcome.error },
    );
  }

  #completed(result: unknown): TaskEnd {
    const outcome = this.#handler.contract.result.safeParse(result);
    if (outcome.success) return { kind: 'completed', result: outcome.data as Record<string, unknown> };
    this.#services.log.error(
      { task: this.task.code, err: outcome.error },
      'a result does not fit its contract',
    );
    return failureOf(outcome.error);
  }

  #outcomeOf(error: unknown): Outcome {
    const hasResult = error instanceof TaskError && error.result !== undefined;
    if (this.stopReason && !hasResult) return stoppedBy(this.stopReason);
    if (isDiskFull(error)) {
      return { kind: 'failed', code: 'disk_full', message: 'The disk of the device is full' };
    }
    if (!(error instanceof TaskError) && !this.#services.store.closed) {
      this.#services.log.error(
        { task: this.task.code, type: this.task.type, err: error },
        'a handler failed',
      );
    }
    return failureOf(error);
  }

  #endAtTimeout(over: AbortSignal): void {
    const { timeoutMs } = this.task;
    this.#services.clock
      .sleep(timeoutMs, over)
      .then(() => this.stop(new TaskError('timed_out', `It did not end within ${timeoutMs / 1000} s`)))
      .catch(() => undefined); // over before
  }

  async #whenStuck(over: AbortSignal): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<TaskError>();
    const { signal } = this.#stop;
    if (signal.aborted) resolve(signal.reason as TaskError);
    signal.addEventListener('abort', () => resolve(signal.reason as TaskError), { once: true });
    const reason = await promise;
    const stuckAfterMs = this.#handler.stopsWithinMs ?? defaultStuckAfterMs;
    await this.#services.clock.sleep(stuckAfterMs, over);
    if (reason.code === 'agent_stopping') return { kind: 'stopped' };
    return {
      kind: 'failed',
      code: 'stuck',
      message: `It did not stop within ${stuckAfterMs / 1000} s after it was told to (${reason.code}); it may still run`,
    };
  }

  #context(): HandlerContext {
    const { system, clock, random, instanceId, roundTrip, questions } = this.#services;
    const endsAt = clock.monotonic() + this.task.timeoutMs;
    return {
      system,
      code: this.task.code,
      clock,
      random,
      signal: this.#stop.signal,
      timeoutMs: this.task.timeoutMs,
      ...(this.task.signed ? { order: JSON.parse(this.task.signed) as SignedOrder } : {}),
      instanceId,
      output: (stream, text) => this.#output.write(stream, text),
      progress: (progress) => this.#progress.tell(progress),
      reportPhase: (phase, message) => this.#reportPhase(phase, message),
      roundTrip,
      ask: questions.asker(this.task.code, () => endsAt - clock.monotonic(), this.#stop.signal),
      journal: this.#journal(),
    };
  }

  async #reportPhase(phase: string, message: string): Promise<void> {
    const { store, clock, acknowledgements } = this.#services;
    const seq = store.write(() =>
      store.outbox.append('phase', {
        type: 'task.progress',
        code: this.task.code,
        at: clock.now(),
        attempt: this.task.attempt,
        phase,
        message: message.slice(0, 1024),
      }),
    );
    await acknowledgements.reached(seq, this.#stop.signal);
  }

  #journal(): Journal {
    const { store } = this.#services;
    const { code } = this.task;
    return {
      read: () => {
        const note = store.tasks.get(code)?.note;
        return note ? (JSON.parse(note) as Record<string, unknown>) : undefined;
      },
      write: (note) => store.write(() => store.tasks.saveNote(code, JSON.stringify(note))),
    };
  }
}

/** How something ends that was told to stop. */
export function stoppedBy(reason: TaskError): Outcome {
  if (reason.code === 'cancelled') return { kind: 'cancelled' };
  if (reason.code === 'agent_stopping') return { kind: 'stopped' };
  return failureOf(reason);
}
