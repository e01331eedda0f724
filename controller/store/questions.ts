import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import {
  type AskedQuestion,
  maxQuestionsOfTask,
  type QuestionState,
  type TakenReason,
} from '../../shared/question.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, atomically, changed } from './dialect.ts';

/** A question of a run, without a device behind it. */
export interface NewQuestion extends Omit<AskedQuestion, 'deadlineMs'> {
  id: string;
  organizationId: string;
  runId: string;
  taskId: string | null;
  askedAt: Instant;
  expiresAt: Instant;
}

/** A question as a device reports it. */
export interface DeviceQuestion extends Omit<AskedQuestion, 'deadlineMs'> {
  id: string;
  deviceId: string;
  code: string;
  expiresAt: Instant;
}

/** What a device went on with. */
export interface TakenQuestion {
  id: string;
  deviceId: string;
  reason: TakenReason;
  answer: string | null;
  at: Instant;
}

/** Who is concerned by a change of a question. */
export interface QuestionMove {
  id: string;
  organizationId: string;
  runId: string | null;
  taskId: string | null;
  deviceId: string | null;
  state: QuestionState;
  prompt: string;
  answer: string | null;
}

export interface QuestionRow extends QuestionMove {
  organizationName: string;
  taskCode: string | null;
  deviceName: string | null;
  options: string[];
  safe: string | null;
  askedAt: Instant;
  expiresAt: Instant;
  answeredAt: Instant | null;
  answeredBy: string | null;
  takenAt: Instant | null;
  takenReason: TakenReason | null;
  takenAnswer: string | null;
}

/** What its device does not know yet: `answer` null means that nobody answered in time. */
export interface UntakenAnswer {
  id: string;
  deviceId: string;
  code: string;
  answer: string | null;
}

export interface QuestionFilter {
  state?: QuestionState;
  taskCode?: string;
  runId?: string;
}

/** Questions. Every move is one conditional update that leaves `pending`; whoever finds it gone has lost the race. */
export interface QuestionStore {
  insert(question: NewQuestion): Promise<void>;
  /**
   * Questions of tasks of these devices, each once; of a task that is not IN_PROGRESS, or shall be stopped, they are withdrawn from
   * the beginning. Beyond `maxQuestionsOfTask` none is taken. Returns those that are new.
   */
  ask(questions: DeviceQuestion[], now: Instant): Promise<QuestionMove[]>;
  get(organizationId: string, id: string): Promise<QuestionRow | undefined>;
  /** Newest first. */
  list(organizationId: string, filter: QuestionFilter, paging: Paging): Promise<PageOf<QuestionRow>>;
  /** The oldest pending question of each of these tasks that has one. */
  waiting(taskIds: string[]): Promise<QuestionRow[]>;
  /** pending → answered, before its deadline. */
  answer(id: string, answer: { answer: string; by: string }, now: Instant): Promise<QuestionMove | undefined>;
  /** The deadline of a pending one is over. */
  isDue(now: Instant): Promise<boolean>;
  /** pending → expired, for at most `limit` whose deadline is over. */
  expire(now: Instant, limit: number): Promise<QuestionMove[]>;
  /** pending → withdrawn. */
  withdrawOfTasks(taskIds: string[]): Promise<QuestionMove[]>;
  /** pending → withdrawn, of what the run itself asks. */
  withdrawOfRun(runId: string): Promise<QuestionMove[]>;
  /**
   * What devices went on with; the first word of a device stays. `closed`: those that were still pending, which follow it; `taken`:
   * all that it was new for.
   */
  take(taken: TakenQuestion[]): Promise<{ closed: QuestionMove[]; taken: QuestionMove[] }>;
  /** Answered or expired, of tasks that still run, and not taken by their device. */
  untaken(deviceIds: string[]): Promise<UntakenAnswer[]>;
  /** Closed ones that were asked before; returns how many went. */
  prune(before: Instant, limit: number): Promise<number>;
}

const returning = sql`
  returning questions.id, questions.organization_id as "organizationId", questions.run_id as "runId",
    questions.task_id as "taskId", questions.device_id as "deviceId", questions.state, questions.prompt,
    questions.answer`;

export class SqlQuestionStore implements QuestionStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(question: NewQuestion): Promise<void> {
    const { id, organizationId, runId, taskId, prompt, options, safe, askedAt, expiresAt } = question;
    await all(
      this.#db,
      sql`
        insert into questions (id, organization_id, run_id, task_id, prompt, options, safe, asked_at, expires_at, state)
        values (
          ${id}, ${organizationId}, ${runId}, ${taskId}, ${prompt}, ${JSON.stringify(options)}, ${safe}, ${askedAt},
          ${expiresAt}, 'pending'
        )`,
    );
  }

  async ask(questions: DeviceQuestion[], now: Instant): Promise<QuestionMove[]> {
    return all(
      this.#db,
      sql<QuestionMove>`
        insert into questions (
          id, organization_id, run_id, task_id, device_id, prompt, options, safe, asked_at, expires_at, state
        )
        select j.id, t.organization_id, t.run_id, t.id, t.device_id, j.prompt, j.options, j.safe, ${now}, j.expires_at,
          case when t.status = 'IN_PROGRESS' and t.cancel_requested_at is null then 'pending' else 'withdrawn' end
        from ${this.#db.dialect.rows('j', askedColumns, questions)}
        join tasks as t on t.code = j.code and t.device_id = j.device_id
        where (select count(*) from questions as q where q.task_id = t.id) < ${maxQuestionsOfTask}
        on conflict (id) do nothing
        ${returning}`,
    );
  }

  async get(organizationId: string, id: string): Promise<QuestionRow | undefined> {
    const where = sql`q.organization_id = ${organizationId} and q.id = ${id}`;
    return (await this.#read(where, { page: 1, perPage: 1 }))[0];
  }

  async list(
    organizationId: string,
    { state, taskCode, runId }: QuestionFilter,
    paging: Paging,
  ): Promise<PageOf<QuestionRow>> {
    const where = sql`
      q.organization_id = ${organizationId}
      ${state === undefined ? sql`` : sql`and q.state = ${sql.lit(state)}`}
      ${taskCode === undefined ? sql`` : sql`and q.task_id = (select id from tasks where code = ${taskCode})`}
      ${runId === undefined ? sql`` : sql`and q.run_id = ${runId}`}`;
    const [counted] = await all(
      this.#db,
      sql<{ total: number }>`select count(*) as total from questions as q where ${where}`,
    );
    return { items: await this.#read(where, paging), total: Number(counted?.total ?? 0) };
  }

  async waiting(taskIds: string[]): Promise<QuestionRow[]> {
    if (taskIds.length === 0) return [];
    const rows = await this.#read(
      sql`q.state = 'pending' and q.task_id in ${this.#db.dialect.list(taskIds)}`,
      { page: 1, perPage: taskIds.length * maxQuestionsOfTask },
    );
    // Newest first: of several the oldest is kept.
    return [...new Map(rows.map((row) => [row.taskId, row])).values()];
  }

  async answer(
    id: string,
    { answer, by }: { answer: string; by: string },
    now: Instant,
  ): Promise<QuestionMove | undefined> {
    const [move] = await all(
      this.#db,
      sql<QuestionMove>`
        update questions set state = 'answered', answer = ${answer}, answered_by = ${by}, answered_at = ${now}
        where id = ${id} and state = 'pending' and expires_at > ${now}
        ${returning}`,
    );
    return move;
  }

  async isDue(now: Instant): Promise<boolean> {
    const due = await all(
      this.#db,
      sql`select 1 as due from questions where state = 'pending' and expires_at <= ${now} limit 1`,
    );
    return due.length > 0;
  }

  async expire(now: Instant, limit: number): Promise<QuestionMove[]> {
    return all(
      this.#db,
      sql<QuestionMove>`
        update questions set state = 'expired'
        where state = 'pending' and id in (
          select id from questions where state = 'pending' and expires_at <= ${now} order by expires_at limit ${limit}
        )
        ${returning}`,
    );
  }

  async withdrawOfTasks(taskIds: string[]): Promise<QuestionMove[]> {
    if (taskIds.length === 0) return [];
    return this.#withdraw(sql`task_id in ${this.#db.dialect.list(taskIds)}`);
  }

  withdrawOfRun(runId: string): Promise<QuestionMove[]> {
    return this.#withdraw(sql`run_id = ${runId} and task_id is null`);
  }

  async take(taken: TakenQuestion[]): Promise<{ closed: QuestionMove[]; taken: QuestionMove[] }> {
    if (taken.length === 0) return { closed: [], taken: [] };
    const rows = this.#db.dialect.rows('j', takenColumns, taken);
    const mine = sql`questions.id = j.id and questions.device_id = j.device_id`;
    return atomically(this.#db, async (db) => ({
      closed: await all(
        db,
        sql<QuestionMove>`
          update questions set
            state = case j.reason when 'person' then 'answered' when 'deadline' then 'expired' else 'withdrawn' end,
            answer = case when j.reason = 'person' then j.answer end,
            answered_at = case when j.reason = 'person' then j.at end
          from ${rows} where questions.state = 'pending' and ${mine}
          ${returning}`,
      ),
      taken: await all(
        db,
        sql<QuestionMove>`
          update questions set taken_at = j.at, taken_reason = j.reason, taken_answer = j.answer
          from ${rows} where questions.taken_at is null and ${mine}
          ${returning}`,
      ),
    }));
  }

  async untaken(deviceIds: string[]): Promise<UntakenAnswer[]> {
    if (deviceIds.length === 0) return [];
    return all(
      this.#db,
      sql<UntakenAnswer>`
        select q.id, q.device_id as "deviceId", t.code, q.answer
        from questions as q join tasks as t on t.id = q.task_id
        where q.taken_at is null and q.device_id is not null and q.state in ('answered', 'expired')
          and q.device_id in ${this.#db.dialect.list(deviceIds)} and t.status = 'IN_PROGRESS'`,
    );
  }

  async prune(before: Instant, limit: number): Promise<number> {
    return changed(
      this.#db,
      sql`
        delete from questions where id in (
          select id from questions where asked_at < ${before} and state <> 'pending' limit ${limit}
        )`,
    );
  }

  #withdraw(where: RawBuilder<unknown>): Promise<QuestionMove[]> {
    return all(
      this.#db,
      sql<QuestionMove>`update questions set state = 'withdrawn' where state = 'pending' and ${where} ${returning}`,
    );
  }

  async #read(where: RawBuilder<unknown>, { page, perPage }: Paging): Promise<QuestionRow[]> {
    const rows = await all(
      this.#db,
      sql<Omit<QuestionRow, 'options'> & { options: string }>`
        select q.id as "id", q.organization_id as "organizationId", o.name as "organizationName", q.run_id as "runId",
          q.task_id as "taskId", t.code as "taskCode", q.device_id as "deviceId", d.name as "deviceName",
          q.prompt as "prompt", q.options as "options", q.safe as "safe", q.state as "state",
          q.asked_at as "askedAt", q.expires_at as "expiresAt", q.answered_at as "answeredAt",
          q.answered_by as "answeredBy", q.answer as "answer", q.taken_at as "takenAt",
          q.taken_reason as "takenReason", q.taken_answer as "takenAnswer"
        from questions as q
        join organizations as o on o.id = q.organization_id
        left join tasks as t on t.id = q.task_id
        left join devices as d on d.id = t.device_id
        where ${where}
        order by q.asked_at desc, q.id
        limit ${perPage} offset ${(page - 1) * perPage}`,
    );
    return rows.map((row) => ({ ...row, options: JSON.parse(row.options) as string[] }));
  }
}

const askedColumns = {
  id: 'text',
  deviceId: 'text',
  code: 'text',
  prompt: 'text',
  options: 'text',
  safe: 'text',
  expiresAt: 'integer',
} as const;

const takenColumns = { id: 'text', deviceId: 'text', reason: 'text', answer: 'text', at: 'integer' } as const;
