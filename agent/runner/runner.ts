import { TaskError } from '../../shared/errors.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import { knownTraits, type TaskType } from '../../shared/task-types/task-type.ts';
import type { Handler, Interrupted } from '../handlers/handler.ts';
import type { StoredTask } from '../store/task-table.ts';
import { Attempt, type AttemptServices, type Outcome } from './attempt.ts';
import { findHandler, type Runnable, unknownType } from './find-handler.ts';
import { interruptedFrom, recoverTask } from './recover.ts';
import { Questions } from './questions.ts';
import { endReport, type TaskEnd } from './task-end.ts';

export type Handlers = Partial<Record<TaskType, Handler>>;

export interface RunnerParts extends Omit<AttemptServices, 'questions'>, Runnable {
  /** The controller's clock, as far as it is known. */
  controllerNow: () => number;
  bootId: string;
  /** Asked for before waiting on a full disk: may free room that was held in reserve. */
  makeRoom: () => void;
}

const diskRetryMs = 5_000;
/** What is stopped has so long to come to its end. */
const stopMs = 10_000;

/**
 * Runs the tasks this device holds.
 *
 * - A task executes only after `task.start`, and only when accepted → running was committed by this call: once, whatever is sent twice.
 * - Persist before speak: `running` is on disk before the handler is called; the result and `finished` are one commit, and only
 *   what is committed is delivered.
 * - Nothing here knows the link: its death touches no running task.
 * - The device holds a task until its end is committed, also while the disk is full.
 */
export class Runner {
  readonly #parts: RunnerParts & AttemptServices;
  readonly #abort: AbortSignal;
  /** Tasks at work in this process; `attempt` is absent while only an end waits to be written. */
  readonly #working = new Map<string, { attempt?: Attempt; done: Promise<void> }>();
  #draining = false;

  /** `abort` ends everything at once; what is on disk then decides. */
  constructor(parts: RunnerParts, abort: AbortSignal) {
    this.#parts = { ...parts, questions: new Questions(parts) };
    this.#abort = abort;
    abort.addEventListener('abort', () => this.#stopAll(), { once: true });
  }

  /** The controller has committed IN_PROGRESS: runs what is accepted. Everything else was started before, or is not held. */
  start(codes: readonly string[]): void {
    // Left accepted: the next process starts it, when its hello says that it is held.
    if (this.#draining) return;
    const { store, clock, bootId, instanceId, log } = this.#parts;
    const fresh = codes.filter((code) => !this.#working.has(code) && !this.#isLeft(store.tasks.get(code)));
    let started: string[];
    try {
      const by = { at: clock.now(), bootId, instanceId };
      started = store.write(() => fresh.filter((code) => store.tasks.start(code, by)));
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#failUnstarted(fresh);
      return;
    }
    for (const code of started) {
      const task = store.tasks.get(code);
      if (!task) continue;
      log.info({ event: 'task.started', task: code, type: task.type, attempt: task.attempt }, 'task started');
      this.#work(task);
    }
  }

  /** The task must not start any more. A task that runs is not forgotten. */
  forget(codes: readonly string[]): void {
    const { store, log } = this.#parts;
    const waiting = codes.filter((code) => !this.#working.has(code));
    let forgotten: string[];
    try {
      forgotten = store.write(() => waiting.filter((code) => store.tasks.forget(code)));
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      for (const code of waiting) this.#forgetLater(code);
      return;
    }
    for (const code of forgotten)
      log.info({ event: 'task.forgotten', task: code }, 'task forgotten before its start');
  }

  /** Stops the task if its type can be stopped. A task that did not start ends here, whatever its type. */
  cancel(code: string): void {
    const { store, log } = this.#parts;
    const task = store.tasks.get(code);
    if (!task || task.state === 'finished') return;
    if (task.state === 'accepted') {
      if (!this.#working.has(code)) this.#endUnstarted(task, { kind: 'cancelled' });
      return;
    }
    if (!knownTraits(task.type)?.canStop) {
      log.info({ task: code, type: task.type }, 'a running task of this type cannot be stopped');
      return;
    }
    this.#working.get(code)?.attempt?.stop(new TaskError('cancelled', 'It was cancelled'));
  }

  /** What a person answered to a question of a task, or null when nobody did in time. */
  answered(question: string, answer: string | null): void {
    this.#parts.questions.answered(question, answer);
  }

  /** Picks up what was running when the agent or the machine died. Once, before anything else. */
  recover(): void {
    const { store } = this.#parts;
    const running = store.tasks
      .unfinished()
      .filter((task) => task.state === 'running' && !this.#isLeft(task));
    try {
      store.write(() => {
        for (const { code } of running) store.tasks.countResume(code, 1);
      });
    } catch (error) {
      // Not counted: without room nothing can be started that would have to be counted.
      if (!isDiskFull(error)) throw error;
    }
    for (const task of running) {
      this.#parts.log.warn(
        { event: 'task.interrupted', task: task.code, type: task.type, resumes: task.resumes + 1 },
        'a task was running when the agent ended',
      );
      this.#work(task, interruptedFrom(task, this.#parts));
    }
  }

  /**
   * Gives what runs `graceMs` to end, then stops it. What may run again is left for the next process; of the rest the type decides how it
   * ended. Tasks that take the machine or the agent down are left as they are: this may be what they are waiting for.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    const stoppable = [...this.#working.values()].filter(
      ({ attempt }) => !attempt || !knownTraits(attempt.task.type)?.needsIdle,
    );
    const done = Promise.all(stoppable.map((one) => one.done));
    await this.#atMost(graceMs, done);
    for (const { attempt } of stoppable) attempt?.stop(agentStopping());
    await this.#atMost(stopMs, done);
  }

  /** Settles when nothing is at work. */
  async idle(): Promise<void> {
    while (this.#working.size > 0) await Promise.all([...this.#working.values()].map((one) => one.done));
  }

  /** Waits for `done`, but no longer than `ms`. */
  async #atMost(ms: number, done: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const waited = this.#parts.clock.sleep(ms, AbortSignal.any([over.signal, this.#abort]));
    await Promise.race([done, waited.catch(() => undefined)]);
    over.abort(new Error('waited'));
  }

  #stopAll(): void {
    for (const { attempt } of this.#working.values()) attempt?.stop(agentStopping());
  }

  /** What would run it is away: the next process, which has it again, takes the task up. */
  #isLeft(task: StoredTask | undefined): boolean {
    if (!task || !this.#parts.isPartial || findHandler(this.#parts, task.type)) return false;
    const { code, type } = task;
    this.#parts.log.warn(
      { event: 'task.left', task: code, type },
      'what runs this task is away: it is left as it is',
    );
    return true;
  }

  #work(task: StoredTask, interrupted?: Interrupted): void {
    const handler = findHandler(this.#parts, task.type);
    if (!handler) {
      this.#keep(task.code, undefined, () => this.#record(task, goneType(this.#parts, task)));
      return;
    }
    const attempt = new Attempt(task, handler, this.#parts);
    this.#keep(task.code, attempt, async () => {
      const outcome = interrupted ? await recoverTask(attempt, handler, interrupted) : await attempt.run();
      await this.#settle(attempt, handler, outcome);
    });
  }

  async #settle(attempt: Attempt, handler: Handler, outcome: Outcome): Promise<void> {
    const { task } = attempt;
    switch (outcome.kind) {
      case 'rerun':
        await this.#runAgain(attempt, handler);
        break;
      case 'stopped':
        if (this.#draining && !this.#abort.aborted) await this.#leave(task, handler);
        break;
      default:
        await this.#record(task, outcome, () => attempt.tellLostLines());
    }
  }

  async #runAgain(before: Attempt, handler: Handler): Promise<void> {
    const { store, clock, bootId, instanceId } = this.#parts;
    const { code } = before.task;
    if (!before.stopReason) {
      await this.#persist(() => store.tasks.startAgain(code, { at: clock.now(), bootId, instanceId }));
    }
    const attempt = new Attempt(store.tasks.get(code) ?? before.task, handler, this.#parts);
    // Whatever asked to stop while this was decided asked for the task, not for the attempt.
    if (before.stopReason) attempt.stop(before.stopReason);
    const working = this.#working.get(code);
    if (working) working.attempt = attempt;
    await this.#settle(attempt, handler, await attempt.run());
  }

  /** The agent stops: the type decides what becomes of a task that was stopped for it. */
  async #leave(task: StoredTask, handler: Handler): Promise<void> {
    const { store } = this.#parts;
    const stored = store.tasks.get(task.code) ?? task;
    const attempt = new Attempt(stored, handler, this.#parts);
    const outcome = await recoverTask(attempt, handler, interruptedFrom(stored, this.#parts));
    if (outcome.kind === 'stopped') return;
    if (outcome.kind === 'rerun') {
      // A polite stop is nobody's fault: it does not count towards a crash loop.
      await this.#persist(() => store.tasks.countResume(task.code, -1));
    } else {
      await this.#record(stored, outcome);
    }
  }

  /** Counts as at work meanwhile, so that it does not start; it is said once only, and would hold its slot for ever. */
  #forgetLater(code: string): void {
    const { store } = this.#parts;
    if (store.tasks.get(code)?.state !== 'accepted') return;
    this.#keep(code, undefined, () =>
      this.#persist(() => {
        store.tasks.forget(code);
      }),
    );
  }

  #failUnstarted(codes: readonly string[]): void {
    const { store } = this.#parts;
    for (const code of codes) {
      const task = store.tasks.get(code);
      if (task?.state !== 'accepted') continue;
      this.#endUnstarted(task, {
        kind: 'failed',
        code: 'disk_full',
        message: 'It was not started: the disk of the device is full',
      });
    }
  }

  #endUnstarted(task: StoredTask, end: TaskEnd): void {
    this.#keep(task.code, undefined, () => this.#record(task, end));
  }

  /** Holds the task as one at work until `work` is over. */
  #keep(code: string, attempt: Attempt | undefined, work: () => Promise<void>): void {
    const { onError, store } = this.#parts;
    const done = work()
      .catch((error: unknown) => {
        if (!store.closed) onError(error);
      })
      .finally(() => this.#working.delete(code));
    this.#working.set(code, { ...(attempt ? { attempt } : {}), done });
  }

  /** The end of a task and the report of it, in one commit. */
  async #record(task: StoredTask, end: TaskEnd, alongside: () => void = () => {}): Promise<void> {
    const { store, clock, log } = this.#parts;
    const { kind, report } = endReport(task, end, clock.now());
    await this.#persist(() => {
      alongside();
      const seq = store.outbox.append(kind, report);
      store.tasks.finish(task.code, { kind, body: JSON.stringify(report), seq });
      store.questions.forget(task.code);
    });
    const errorCode = end.kind === 'failed' ? end.code : undefined;
    log.info(
      { event: 'task.finished', task: task.code, type: task.type, end: end.kind, errorCode },
      'task finished',
    );
  }

  /** Commits `change`, waiting for room as long as the disk is full. */
  async #persist(change: () => void): Promise<void> {
    for (;;) {
      try {
        this.#parts.store.write(change);
        return;
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        this.#parts.log.error({ event: 'agent.disk_full', err: error }, 'no room to write, trying again');
        this.#parts.makeRoom();
        await this.#parts.clock.sleep(diskRetryMs, this.#abort);
      }
    }
  }
}

const agentStopping = (): TaskError => new TaskError('agent_stopping', 'The agent stops');

/** It was taken when its type was known. */
const goneType = (runnable: Runnable, { type }: { type: string }): TaskEnd => ({
  kind: 'failed',
  code: 'interrupted',
  message: `What would run this task is gone: ${unknownType(runnable, type).message}`,
});
