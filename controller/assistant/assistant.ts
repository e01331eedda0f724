import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Bus } from '../bus/bus.ts';
import type { AssistantRunRow, RunEnd } from '../store/assistant.ts';
import { endAgentRun } from '../tasks/end-agent-run.ts';
import { WakeUp } from '../tasks/wake-up.ts';
import { ModelError } from './chat-model.ts';
import { type ConversationParts, takeStep } from './conversation.ts';
import { RunFailure } from './run-failure.ts';

export interface AssistantParts extends ConversationParts {
  bus: Bus;
  log: Logger;
  settings: { pollMs: number };
  /** Runs that ask the model at the same time. Those that wait for a person are not counted. */
  atOnce: number;
}

/** Runs looked at together: more than all organizations of a controller are expected to have open. */
const maxOpen = 1_000;

/**
 * Works on the prompts of agent tasks.
 *
 * - What is done next follows from the store alone: after a crash a run goes on where its transcript ends.
 * - A step is stored only onto the transcript that it was made from: of two that work on the same run, one loses and stops.
 * - Every run ends by its deadline, whatever the model or a person does; a run that has ended takes nothing more.
 */
export class Assistant {
  readonly #parts: AssistantParts;
  readonly #working = new Map<string, { stop: AbortController; done: Promise<void> }>();
  readonly #wakeUp = new WakeUp();

  constructor(parts: AssistantParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { bus, clock, log, settings } = this.#parts;
    const unsubscribe = (['assistant', 'questions'] as const).map((topic) =>
      bus.subscribe(topic, () => this.#wakeUp.call()),
    );
    const ticking = this.#tick(settings.pollMs, signal);
    try {
      while (!signal.aborted) {
        try {
          await this.#look(signal);
        } catch (error) {
          log.error(
            { err: error, at: clock.now() },
            'looking for agent tasks failed, the next look tries again',
          );
        }
        await this.#wakeUp.wait(signal);
      }
    } finally {
      for (const stop of unsubscribe) stop();
      for (const { stop } of this.#working.values()) stop.abort();
      await Promise.all([ticking, ...[...this.#working.values()].map(({ done }) => done)]);
    }
  }

  async #tick(everyMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.clock.sleep(everyMs, signal).catch(() => undefined);
      this.#wakeUp.call();
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { store, proposals, atOnce } = this.#parts;
    const runs = await store.assistant.open(maxOpen);
    const open = new Set(runs.map(({ runId }) => runId));
    for (const [runId, { stop }] of this.#working) if (!open.has(runId)) stop.abort();
    for (const run of runs) {
      if (signal.aborted || this.#working.size >= atOnce) return;
      if (this.#working.has(run.runId)) continue;
      if (run.status === 'waiting' && !(await proposals.isSettled(run))) continue;
      this.#start(run, signal);
    }
  }

  #start({ runId }: AssistantRunRow, signal: AbortSignal): void {
    const stop = new AbortController();
    const done = this.#work(runId, AbortSignal.any([signal, stop.signal]))
      .catch((error: unknown) => {
        if (stop.signal.aborted || signal.aborted) return;
        this.#parts.log.error({ err: error, run: runId }, 'an agent task was interrupted, and goes on later');
      })
      .finally(() => {
        this.#working.delete(runId);
        // A place is free. What was interrupted waits for the next tick.
        if (!signal.aborted && this.#parts.atOnce === this.#working.size + 1) this.#wakeUp.call();
      });
    this.#working.set(runId, { stop, done });
  }

  /** Takes steps until the run waits or ends. */
  async #work(runId: string, signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#parts;
    await store.assistant.begin(runId, clock.now());
    for (;;) {
      signal.throwIfAborted();
      const run = await store.assistant.get(runId);
      if (run === undefined || run.completedAt !== null) return;
      const organization = await store.access.organization(run.organizationId);
      if (organization === undefined) return;
      const end = await this.#step(run, (inner) => takeStep(this.#parts, run, organization, inner), signal);
      if (end === 'stop') return;
      if (end !== 'more') return this.#end(run, end);
    }
  }

  async #step(
    run: AssistantRunRow,
    take: (signal: AbortSignal) => ReturnType<typeof takeStep>,
    signal: AbortSignal,
  ): Promise<'more' | 'stop' | RunEnd> {
    const { store, clock } = this.#parts;
    const over = new AbortController();
    const late = new AbortController();
    const left = Math.max(0, (run.deadlineAt ?? clock.now() + run.timeoutMs) - clock.now());
    const timer = clock.sleep(left, over.signal).then(
      () =>
        late.abort(new RunFailure('timed_out', `There was no answer within ${run.timeoutMs / 1000} seconds`)),
      () => undefined,
    );
    try {
      const step = await take(AbortSignal.any([signal, late.signal]));
      if (step.kind === 'answer') return { status: 'completed', answer: step.text };
      const status = step.kind === 'waiting' ? 'waiting' : 'running';
      if (status !== run.status) await store.assistant.setStatus(run.runId, status);
      return step.kind === 'more' ? 'more' : 'stop';
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RunFailure || error instanceof ModelError) {
        return { status: 'failed', errorCode: error.code, errorMessage: error.message };
      }
      if (error instanceof AppError && error.retryable) throw error;
      this.#parts.log.error(
        { err: error, run: run.runId },
        'an agent task failed for a reason that nobody foresaw',
      );
      return { status: 'failed', errorCode: 'internal', errorMessage: 'An error in the controller ended it' };
    } finally {
      over.abort();
      await timer;
    }
  }

  async #end(run: AssistantRunRow, end: RunEnd): Promise<void> {
    const { store, clock, bus, log } = this.#parts;
    const { runId, organizationId } = run;
    const now = clock.now();
    const isEnded = await store.transaction((tables) =>
      endAgentRun(tables, { id: runId, organizationId }, end, now),
    );
    if (!isEnded) return;
    bus.publish('events', {});
    log.info(
      { run: runId, status: end.status, errorCode: end.errorCode, steps: run.steps },
      'agent task ended',
    );
  }
}
