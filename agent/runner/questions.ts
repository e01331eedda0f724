import { createHash } from 'node:crypto';
import type { Clock, Random } from '../../shared/clock.ts';
import { TaskError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import {
  AskedQuestion,
  defaultDeadlineMs,
  maxQuestionsOfTask,
  type TakenReason,
} from '../../shared/question.ts';
import type { AskWish } from '../handlers/handler.ts';
import type { AgentStore } from '../store/agent-store.ts';
import type { StoredQuestion } from '../store/question-table.ts';

export interface QuestionParts {
  store: AgentStore;
  clock: Clock;
  random: Random;
  log: Logger;
  /** The controller's clock, as far as it is known: for people, never for the deadline. */
  controllerNow: () => number;
}

/** What a question goes on with once it is closed. */
type Taken = Pick<StoredQuestion, 'reason' | 'answer'>;

const diskRetryMs = 5_000;

/**
 * What the tasks of this device ask people.
 *
 * - A question is on disk, with the report of it, before anybody waits for its answer.
 * - It is closed once, and the device decides: by the answer that arrives first or by its own deadline, also when nobody is reached.
 *   What it took is a report in the same commit; whatever arrives later changes nothing.
 * - A task that runs again after a crash goes on with the question it asked before.
 */
export class Questions {
  readonly #parts: QuestionParts;
  readonly #waiting = new Map<string, (taken: Taken) => void>();

  constructor(parts: QuestionParts) {
    this.#parts = parts;
  }

  /** What one attempt of a task asks; `leftMs` is what remains of its time-out. */
  asker(code: string, leftMs: () => number, stop: AbortSignal): Asker {
    const asked = new Map<string, number>();
    return (wish, withdrawn) => {
      const question = checked(wish);
      const { deadlineMs, ...said } = question;
      const text = JSON.stringify(said);
      const time = (asked.get(text) ?? 0) + 1;
      asked.set(text, time);
      const key = createHash('sha256').update(`${time} ${text}`).digest('hex');
      // A tenth of the time-out stays for acting on the answer.
      const boundMs = Math.max(1, Math.min(deadlineMs, Math.floor(leftMs() * 0.9)));
      return this.#ask({ ...question, deadlineMs: boundMs, code, key }, stop, withdrawn);
    };
  }

  /** The controller tells what a person answered, or that nobody did in time. One that is closed already, or not known, changes nothing. */
  answered(id: string, answer: string | null): void {
    const { store, log } = this.#parts;
    const question = store.questions.get(id);
    if (!question || question.reason !== null) return;
    if (answer !== null && !question.options.includes(answer)) {
      log.warn({ task: question.code, question: id }, 'an answer that is not an option is not taken');
      return;
    }
    try {
      this.#close(question, answer === null ? 'deadline' : 'person', answer ?? question.safe);
    } catch (error) {
      if (!isDiskFull(error)) throw error; // told again by the controller
    }
  }

  async #ask(
    question: AskedQuestion & { code: string; key: string },
    stop: AbortSignal,
    withdrawn: AbortSignal | undefined,
  ): Promise<string> {
    stop.throwIfAborted();
    const { code, key, prompt, deadlineMs } = question;
    const stored = this.#parts.store.questions.find(code, key) ?? this.#open(question);
    const taken = stored.reason === null ? await this.#wait(stored, deadlineMs, { stop, withdrawn }) : stored;
    if (taken.answer !== null) return taken.answer;
    throw new TaskError('unanswered', `Nobody answered in time, and there is no safe option: ${prompt}`);
  }

  #open(question: AskedQuestion & { code: string; key: string }): StoredQuestion {
    const { store, clock, random, log, controllerNow } = this.#parts;
    const { code, key, ...asked } = question;
    const { options, safe, deadlineMs } = asked;
    if (store.questions.count(code) >= maxQuestionsOfTask) {
      throw new TaskError('too_many_questions', `A task asks ${maxQuestionsOfTask} questions at most`);
    }
    const id = random.uuid();
    const stored = { id, code, options, safe, expiresAt: clock.now() + deadlineMs };
    store.write(() => {
      store.questions.insert({ ...stored, key });
      const at = controllerNow();
      const expiresAt = at + deadlineMs;
      store.outbox.append('question', { type: 'task.question', code, at, question: id, asked, expiresAt });
    });
    log.info({ event: 'question.asked', task: code, question: id }, 'the task asks a person');
    return { ...stored, reason: null, answer: null };
  }

  /** Until it is closed. Rejects when the task is stopped, or whoever asks goes away: then it is withdrawn. */
  async #wait(
    question: StoredQuestion,
    deadlineMs: number,
    { stop, withdrawn }: { stop: AbortSignal; withdrawn: AbortSignal | undefined },
  ): Promise<Taken> {
    const { clock } = this.#parts;
    // After a restart the wall clock tells how much is left; it may have jumped, so never more than was asked for.
    const leftMs = Math.min(deadlineMs, Math.max(0, question.expiresAt - clock.now()));
    const { promise, resolve } = Promise.withResolvers<Taken>();
    this.#waiting.set(question.id, resolve);
    const over = new AbortController();
    const signals = [stop, over.signal, ...(withdrawn ? [withdrawn] : [])];
    const end = AbortSignal.any(signals);
    try {
      const late = clock.sleep(leftMs, end).then(() => this.#closeAtDeadline(question, end));
      return await Promise.race([promise, late]);
    } catch (error) {
      if (!stop.aborted && withdrawn?.aborted) this.#withdraw(question);
      throw error;
    } finally {
      over.abort(new Error('the question is closed'));
      this.#waiting.delete(question.id);
    }
  }

  async #closeAtDeadline(question: StoredQuestion, end: AbortSignal): Promise<Taken> {
    const { clock, store } = this.#parts;
    for (;;) {
      try {
        this.#close(question, 'deadline', question.safe);
        return store.questions.get(question.id) ?? { reason: 'deadline', answer: question.safe };
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        await clock.sleep(diskRetryMs, end);
      }
    }
  }

  #withdraw(question: StoredQuestion): void {
    try {
      this.#close(question, 'withdrawn', null);
    } catch (error) {
      if (!isDiskFull(error)) throw error; // it ends with its task
    }
  }

  #close({ id, code }: StoredQuestion, reason: TakenReason, answer: string | null): void {
    const { store, controllerNow, log } = this.#parts;
    const isMine = store.write(() => {
      if (!store.questions.close(id, { reason, answer })) return false;
      const told = { question: id, reason, ...(answer === null ? {} : { answer }) };
      store.outbox.append('question', { type: 'task.question_closed', code, at: controllerNow(), ...told });
      return true;
    });
    if (!isMine) return;
    log.info({ event: 'question.closed', task: code, question: id, reason }, 'the question is closed');
    this.#waiting.get(id)?.({ reason, answer });
  }
}

/** `withdrawn`: whoever asks does not want to know any more. */
export type Asker = (wish: AskWish, withdrawn?: AbortSignal) => Promise<string>;

function checked({ prompt, options, safe = null, deadlineMs = defaultDeadlineMs }: AskWish): AskedQuestion {
  const outcome = AskedQuestion.safeParse({ prompt, options, safe, deadlineMs });
  if (outcome.success) return outcome.data;
  const [issue] = outcome.error.issues;
  throw new TaskError('bad_question', `${issue?.path.map(String).join('.')}: ${issue?.message}`);
}
