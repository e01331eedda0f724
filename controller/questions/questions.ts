import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { parse } from '../../shared/parse.ts';
import { AskedByRun, type AskedQuestion } from '../../shared/question.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { Bus } from '../bus/bus.ts';
import type { Actor } from '../devices/actor.ts';
import type { OnlineDevices } from '../devices/online.ts';
import type { PageOf, Paging } from '../store/access.ts';
import type { QuestionFilter, QuestionMove, QuestionRow } from '../store/questions.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { questionEvent } from '../tasks/question-events.ts';
import { WakeUp } from '../tasks/wake-up.ts';
import { sendAnswers } from '../tasks/send-answers.ts';

export interface QuestionsParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  random: Random;
  online: OnlineDevices;
  log: Logger;
}

/** How often deadlines are looked at, and those who wait for an answer look without being told. */
const lookEveryMs = 1_000;
/** A device that did not say what it took is told again. */
const tellAgainMs = 30_000;
/** Questions that expire in one transaction. */
const batch = 500;

/**
 * What runs and tasks ask people.
 *
 * - Answer, deadline and withdrawal race in the store: one conditional update leaves `pending`, the others are told what won.
 * - Whoever asked is told after the commit, and again until it says what it took: losing a message costs latency, never an answer.
 * - A question ends with its task: it is withdrawn in the transaction that ends the task.
 */
export class Questions {
  readonly #parts: QuestionsParts;
  #toldAllAt = 0;

  constructor(parts: QuestionsParts) {
    this.#parts = parts;
  }

  /** Asks for a run, without a device behind it. `deadlineMs` counts from now; `alongside` is written in the same transaction. */
  async ask(
    question: { organizationId: string; runId: string; taskId: string | null } & AskedQuestion,
    alongside?: (tables: StoreTables, id: string) => Promise<void>,
  ): Promise<QuestionRow> {
    const { store, bus, clock, random } = this.#parts;
    const { organizationId, runId, taskId } = question;
    const { prompt, options, safe, deadlineMs } = parse('question', AskedByRun, question);
    const now = clock.now();
    const id = random.uuid();
    const about = { id, organizationId, runId, taskId, prompt };
    const row = await store.transaction(async (tables) => {
      await tables.questions.insert({ ...about, options, safe, askedAt: now, expiresAt: now + deadlineMs });
      await tables.events.append([
        questionEvent({ ...about, deviceId: null, state: 'pending', answer: null }, now),
      ]);
      await alongside?.(tables, id);
      return found(await tables.questions.get(organizationId, id), id);
    });
    bus.publish('events', {});
    return row;
  }

  /** Throws `not_found`, `bad_request` that names the options, and `conflict` that says how it was decided before. */
  async answer(actor: Actor, id: string, option: string): Promise<QuestionRow> {
    const { store, clock } = this.#parts;
    const { move, row } = await store.transaction(async (tables) => {
      const before = found(await tables.questions.get(actor.organizationId, id), id);
      if (!before.options.includes(option)) throw notAnOption(before, option);
      const now = clock.now();
      const made = await tables.questions.answer(id, { answer: option, by: actor.name }, now);
      if (made === undefined) throw notPending(before, now);
      await tables.events.append([questionEvent(made, now, { data: { by: actor.name } })]);
      await tables.audit.append([
        {
          at: now,
          organizationId: actor.organizationId,
          actor: actor.name,
          action: 'question.answer',
          target: before.taskCode ?? before.runId ?? id,
          detail: { question: id, prompt: before.prompt, answer: option },
          ipAddress: actor.ipAddress,
          requestId: actor.requestId,
        },
      ]);
      return { move: made, row: found(await tables.questions.get(actor.organizationId, id), id) };
    });
    this.#tell([move]);
    return row;
  }

  /** Throws `not_found`. */
  async get(organizationId: string, id: string): Promise<QuestionRow> {
    return found(await this.#parts.store.questions.get(organizationId, id), id);
  }

  list(organizationId: string, filter: QuestionFilter, paging: Paging): Promise<PageOf<QuestionRow>> {
    return this.#parts.store.questions.list(organizationId, filter, paging);
  }

  /** What waits for a person, newest first; no more than `most`. */
  async pending(organizationId: string, most = 1_000): Promise<QuestionRow[]> {
    const filter = { state: 'pending' } as const;
    return (await this.list(organizationId, filter, { page: 1, perPage: most })).items;
  }

  /** The pending question of each of these tasks that has one, by the task's id. */
  async waiting(taskIds: string[]): Promise<Map<string, QuestionRow>> {
    const rows = await this.#parts.store.questions.waiting(taskIds);
    return new Map(rows.map((row) => [row.taskId ?? '', row]));
  }

  /** Withdraws what the run itself, or the task, still asks. */
  async withdraw(whose: { runId: string } | { taskId: string }): Promise<void> {
    const moves = await this.#parts.store.transaction((tables) => this.#withdrawIn(tables, whose));
    this.#tell(moves);
  }

  /** Settles when the question is not pending any more, with what became of it; rejects with the signal's reason. */
  async settled(organizationId: string, id: string, signal: AbortSignal): Promise<QuestionRow> {
    const { bus, clock } = this.#parts;
    const wakeUp = new WakeUp();
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    const unsubscribe = bus.subscribe('questions', ({ moves }) => {
      if (moves.some((move) => move.id === id)) wakeUp.call();
    });
    const polling = tick(clock, wakeUp, stop);
    try {
      for (;;) {
        signal.throwIfAborted();
        const row = await this.get(organizationId, id);
        if (row.state !== 'pending') return row;
        await wakeUp.wait(stop);
      }
    } finally {
      unsubscribe();
      over.abort();
      await polling;
    }
  }

  /** Ends what is over its deadline and tells devices what they do not know yet. */
  async run(signal: AbortSignal): Promise<void> {
    const { bus, clock, log } = this.#parts;
    const unsubscribe = bus.subscribe('questions', ({ moves }) => {
      const devices = moves.flatMap(({ deviceId }) => deviceId ?? []);
      if (devices.length > 0) this.#later(this.#sendAnswers([...new Set(devices)]));
    });
    try {
      while (!signal.aborted) {
        try {
          await this.#expire();
          await this.#tellAgain();
        } catch (error) {
          log.error({ err: error }, 'looking after questions failed, the next look tries again');
        }
        await clock.sleep(lookEveryMs, signal).catch(() => undefined);
      }
    } finally {
      unsubscribe();
      await Promise.all(this.#sending);
    }
  }

  readonly #sending = new Set<Promise<void>>();

  #later(work: Promise<void>): void {
    const watched = work
      .catch((error: unknown) => this.#parts.log.warn({ err: error }, 'answers will be sent later'))
      .finally(() => this.#sending.delete(watched));
    this.#sending.add(watched);
  }

  async #expire(): Promise<void> {
    const { store, clock } = this.#parts;
    for (let count = batch; count === batch; ) {
      const now = clock.now();
      if (!(await store.questions.isDue(now))) return;
      const moves = await store.transaction(async (tables) => {
        const expired = await tables.questions.expire(now, batch);
        await tables.events.append(expired.map((move) => questionEvent(move, now)));
        return expired;
      });
      this.#tell(moves);
      count = moves.length;
    }
  }

  async #tellAgain(): Promise<void> {
    const { clock, online } = this.#parts;
    if (clock.monotonic() - this.#toldAllAt < tellAgainMs) return;
    this.#toldAllAt = clock.monotonic();
    await this.#sendAnswers(online.ids());
  }

  async #sendAnswers(deviceIds: string[]): Promise<void> {
    const { store, online } = this.#parts;
    const here = deviceIds.filter((id) => online.get(id) !== undefined);
    if (here.length === 0) return;
    for (const answer of await store.questions.untaken(here)) {
      const link = online.get(answer.deviceId);
      if (link) sendAnswers(link, [answer]);
    }
  }

  async #withdrawIn(
    tables: StoreTables,
    whose: { runId: string } | { taskId: string },
  ): Promise<QuestionMove[]> {
    const moves =
      'runId' in whose
        ? await tables.questions.withdrawOfRun(whose.runId)
        : await tables.questions.withdrawOfTasks([whose.taskId]);
    const now = this.#parts.clock.now();
    await tables.events.append(moves.map((move) => questionEvent(move, now)));
    return moves;
  }

  #tell(moves: QuestionMove[]): void {
    if (moves.length === 0) return;
    const { bus } = this.#parts;
    bus.publish('events', {});
    bus.publish('questions', { moves: moves.map(({ id, deviceId }) => ({ id, deviceId })) });
  }
}

/** Calls from time to time, because a hint may be lost. */
async function tick(clock: Clock, wakeUp: WakeUp, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(lookEveryMs, signal).catch(() => undefined);
    wakeUp.call();
  }
}

function found(row: QuestionRow | undefined, id: string): QuestionRow {
  if (row === undefined) throw new AppError('not_found', `There is no question ${id}`);
  return row;
}

const notAnOption = ({ id, options }: QuestionRow, answer: string): AppError =>
  new AppError(
    'bad_request',
    `${JSON.stringify(answer)} is not an option of question ${id}: expected ${options.map((option) => JSON.stringify(option)).join(' or ')}`,
    { detail: { options } },
  );

function notPending(row: QuestionRow, now: number): AppError {
  const { id, state, answer, answeredBy, expiresAt } = row;
  const detail = { state, answer };
  switch (state) {
    case 'answered':
      return new AppError(
        'conflict',
        `Question ${id} was answered before, with ${JSON.stringify(answer)}${answeredBy === null ? '' : ` by ${answeredBy}`}`,
        { detail },
      );
    case 'withdrawn':
      return new AppError('conflict', `Question ${id} was withdrawn: what asked it has ended`, { detail });
    case 'pending': // over its deadline, which the next look will write down
    case 'expired': {
      const over = rfc3339(Math.min(expiresAt, now));
      return new AppError('conflict', `Question ${id} expired at ${over}, before anybody answered`, {
        detail,
      });
    }
  }
}
