import { AppError } from '../../shared/errors.ts';
import {
  type Checked,
  create,
  type Outcome,
  type Submission,
  type SubmitParts,
  type Submitted,
} from './submit.ts';
import { findTaskType } from './find-task-type.ts';
import { readParameters } from './task-parameters.ts';

/** Codes have 47 bits: a second draw is needed about once in a lifetime. */
const codeDraws = 3;
/** Submissions that share one commit at most. */
const maxTogether = 64;

interface Waiting {
  submission: Submission;
  checked: Checked;
  done: PromiseWithResolvers<Submitted>;
}

interface Made {
  one: Waiting;
  outcome: Outcome;
}

/**
 * Takes submissions and creates their runs.
 *
 * - A run is created with all its tasks, or not at all.
 * - Submissions that come in the same turn share one commit. What is refused is refused before it wrote anything, so it does not touch
 *   the others; when the shared commit fails, each is tried alone.
 * - Nobody is answered, and nobody woken, before the commit.
 */
export class Submissions {
  readonly #parts: SubmitParts;
  #waiting: Waiting[] = [];
  #isDraining = false;

  constructor(parts: SubmitParts) {
    this.#parts = parts;
  }

  /** Throws 400 and 422 errors that name the field or the targets. */
  async submit(submission: Submission): Promise<Submitted> {
    const { request } = submission;
    const checked = await this.#check(submission);
    if (request.schedule !== undefined && request.scheduled_at !== undefined) {
      throw new AppError('exclusive_options', 'Only one of schedule and scheduled_at can be given');
    }
    if (request.schedule !== undefined) {
      throw new AppError(
        'bad_request',
        'schedule is not valid: a schedule is asked to run it, it is not run now',
      );
    }
    const done = Promise.withResolvers<Submitted>();
    this.#waiting.push({ submission, checked, done });
    if (!this.#isDraining) {
      this.#isDraining = true;
      this.#drain().catch((error: unknown) => done.reject(error));
    }
    return done.promise;
  }

  async #check({ request, perDevice, organization }: Submission): Promise<Checked> {
    const { type, payload } = request;
    const text = JSON.stringify(payload ?? {});
    if (type === 'AGENT_TASK') return { parameters: text, timeoutMs: 0 };
    const { contract, timeoutMs } = await findTaskType(this.#parts.store.releases, organization.id, type);
    return { parameters: perDevice ? text : readParameters(contract, payload), timeoutMs };
  }

  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#parts.clock.sleep(0);
        const batch = this.#waiting.splice(0, maxTogether);
        const outcomes = await this.#commit(batch).catch(() => undefined);
        if (outcomes) this.#tell(outcomes);
        else for (const one of batch) await this.#commitAlone(one);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  async #commitAlone(one: Waiting): Promise<void> {
    for (let draw = 1; ; draw += 1) {
      try {
        this.#tell(await this.#commit([one]));
        return;
      } catch (error) {
        if (draw < codeDraws && isTaken(error)) continue;
        one.done.reject(error);
        return;
      }
    }
  }

  #commit(batch: Waiting[]): Promise<Made[]> {
    return this.#parts.store.transaction(async (tables) => {
      const made: Made[] = [];
      for (const one of batch) {
        made.push({ one, outcome: await create(this.#parts, tables, one.submission, one.checked) });
      }
      return made;
    });
  }

  #tell(outcomes: Made[]): void {
    const { bus } = this.#parts;
    const woken: string[] = [];
    let hasEvents = false;
    for (const { one, outcome } of outcomes) {
      if (outcome.kind === 'refused') {
        one.done.reject(outcome.error);
        continue;
      }
      one.done.resolve(outcome.submitted);
      hasEvents ||= outcome.deviceIds.length > 0;
      if (!outcome.isScheduled) woken.push(...outcome.deviceIds);
    }
    if (hasEvents) bus.publish('events', {});
    if (woken.length > 0) bus.publish('devices', { deviceIds: woken });
  }
}

/** A code, or the idempotency key, was taken by somebody who was faster: another try draws anew, or finds the answer. */
const isTaken = (error: unknown): boolean =>
  error instanceof AppError && (error.code === 'name_taken' || error.code === 'conflict');
