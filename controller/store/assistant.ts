import { sql } from 'kysely';
import type { AgentTaskStatus } from '../../shared/api/assistant.ts';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all, changed } from './dialect.ts';
import type { ScheduledKind } from './schedules.ts';

export interface NewAssistantRun {
  runId: string;
  organizationId: string;
  prompt: string;
  allowTaskTypes: string[];
  maxSteps: number;
  maxTokens: number;
  timeoutMs: number;
  createdBy: string;
  createdAt: Instant;
}

export interface AssistantRunRow extends NewAssistantRun {
  status: AgentTaskStatus;
  steps: number;
  /** Answers of the model that nothing could be done with, since the last that was of use. */
  mistakes: number;
  tokensIn: number;
  tokensOut: number;
  transcriptBytes: number;
  answer: string | null;
  errorCode: string | null;
  errorMessage: string | null;
  startedAt: Instant | null;
  deadlineAt: Instant | null;
  completedAt: Instant | null;
}

/** One message; `content` is JSON text that the assistant's part writes and reads. */
export interface StoredMessage {
  /** From 1, without gaps. */
  seq: number;
  at: Instant;
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string;
}

/** What one step added, beside its messages. */
export interface Spent {
  steps: number;
  tokensIn: number;
  tokensOut: number;
  mistakes: number;
}

export type ProposalStatus = 'waiting' | 'approved' | 'rejected' | 'submitted' | 'refused';

/** A tool call of the model, by the message it stands in and its place there: names that the model gives may repeat. */
export interface CallKey {
  runId: string;
  seq: number;
  place: number;
}

export interface NewProposal extends CallKey {
  taskType: string;
  kind: ScheduledKind;
  /** JSON text of what is submitted when it may be: exactly what a person was shown. */
  request: string;
  status: ProposalStatus;
  questionId: string | null;
  decidedBy: string | null;
  createdAt: Instant;
}

export interface ProposalRow extends NewProposal {
  /** The run that it became. */
  madeRun: string | null;
  /** How long the model waits for the end of that run. */
  waitUntil: Instant | null;
}

export interface RunEnd {
  status: 'completed' | 'failed' | 'cancelled';
  answer?: string;
  errorCode?: string;
  errorMessage?: string;
}

/** Runs that work on a prompt. Whatever writes to one that has ended changes nothing and says so. */
export interface AssistantStore {
  insert(run: NewAssistantRun): Promise<void>;
  get(runId: string): Promise<AssistantRunRow | undefined>;
  /** Runs that have not ended, oldest first. */
  open(limit: number): Promise<AssistantRunRow[]>;
  countOpen(organizationId: string): Promise<number>;
  /** Notes the first step, once: its time bounds the run. */
  begin(runId: string, now: Instant): Promise<void>;
  /**
   * Adds messages after `after`, the last seq that the writer knows. False when the run has ended, or another writer was faster: then
   * nothing is written.
   */
  append(
    runId: string,
    after: number,
    messages: Omit<StoredMessage, 'seq'>[],
    spent: Spent,
  ): Promise<boolean>;
  /** running ↔ waiting. */
  setStatus(runId: string, status: 'running' | 'waiting'): Promise<void>;
  /** Ends it; false when it has ended before. */
  end(runId: string, end: RunEnd, now: Instant): Promise<boolean>;
  /** In order, after a seq. */
  messages(runId: string, after: number, limit: number): Promise<StoredMessage[]>;
  proposals(runId: string): Promise<ProposalRow[]>;
  proposal(key: CallKey): Promise<ProposalRow | undefined>;
  /** False when the call has a proposal already, or the run has ended. */
  propose(proposal: NewProposal): Promise<boolean>;
  /** Moves a proposal from one status to another; false when it is not there any more, or the run has ended. */
  decide(
    key: CallKey,
    move: { from: ProposalStatus; to: ProposalStatus; by: string | null },
  ): Promise<boolean>;
  /** approved → submitted; false when it was, or the run has ended. */
  submitted(key: CallKey, made: { run: string; waitUntil: Instant }): Promise<boolean>;
}

const open = sql`status in ('running', 'waiting')`;

export class SqlAssistantStore implements AssistantStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(run: NewAssistantRun): Promise<void> {
    await all(
      this.#db,
      sql`
        insert into assistant_runs (
          run_id, organization_id, status, prompt, allow_task_types, max_steps, max_tokens, timeout_ms, created_by, created_at
        )
        values (
          ${run.runId}, ${run.organizationId}, 'running', ${run.prompt}, ${JSON.stringify(run.allowTaskTypes)},
          ${run.maxSteps}, ${run.maxTokens}, ${run.timeoutMs}, ${run.createdBy}, ${run.createdAt}
        )`,
    );
  }

  async get(runId: string): Promise<AssistantRunRow | undefined> {
    return (await this.#read(sql`where run_id = ${runId}`))[0];
  }

  open(limit: number): Promise<AssistantRunRow[]> {
    return this.#read(
      sql`${this.#db.dialect.indexed('assistant_runs_open')} where ${open} order by seq limit ${limit}`,
    );
  }

  async countOpen(organizationId: string): Promise<number> {
    const [row] = await all(
      this.#db,
      sql<{ total: number }>`
        select count(*) as total from assistant_runs ${this.#db.dialect.indexed('assistant_runs_open')}
        where ${open} and organization_id = ${organizationId}`,
    );
    return Number(row?.total ?? 0);
  }

  async begin(runId: string, now: Instant): Promise<void> {
    await all(
      this.#db,
      sql`
        update assistant_runs set started_at = ${now}, deadline_at = ${now} + timeout_ms
        where run_id = ${runId} and started_at is null and ${open}`,
    );
  }

  async append(
    runId: string,
    after: number,
    messages: Omit<StoredMessage, 'seq'>[],
    { steps, tokensIn, tokensOut, mistakes }: Spent,
  ): Promise<boolean> {
    const values = messages.map((message, index) => ({ ...message, seq: after + 1 + index }));
    const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
    const columns = { seq: 'integer', at: 'integer', role: 'text', content: 'text' } as const;
    const last = sql`(select coalesce(max(seq), 0) from assistant_messages where run_id = ${runId})`;
    const written = await all(
      this.#db,
      sql<{ id: string }>`
        update assistant_runs set steps = steps + ${steps}, tokens_in = tokens_in + ${tokensIn},
          tokens_out = tokens_out + ${tokensOut}, mistakes = ${mistakes}, transcript_bytes = transcript_bytes + ${bytes}
        where run_id = ${runId} and ${open} and ${last} = ${after}
        returning run_id as id`,
    );
    if (written.length === 0) return false;
    await all(
      this.#db,
      sql`
        insert into assistant_messages (run_id, seq, at, role, content)
        select ${runId}, j.seq, j.at, j.role, j.content from ${this.#db.dialect.rows('j', columns, values)}`,
    );
    return true;
  }

  async setStatus(runId: string, status: 'running' | 'waiting'): Promise<void> {
    await all(
      this.#db,
      sql`update assistant_runs set status = ${status} where run_id = ${runId} and ${open}`,
    );
  }

  async end(
    runId: string,
    { status, answer, errorCode, errorMessage }: RunEnd,
    now: Instant,
  ): Promise<boolean> {
    const count = await changed(
      this.#db,
      sql`
        update assistant_runs set status = ${status}, answer = ${answer ?? null}, error_code = ${errorCode ?? null},
          error_message = ${errorMessage ?? null}, completed_at = ${now}
        where run_id = ${runId} and ${open}`,
    );
    return count > 0;
  }

  messages(runId: string, after: number, limit: number): Promise<StoredMessage[]> {
    return all(
      this.#db,
      sql<StoredMessage>`
        select seq, at, role, content from assistant_messages
        where run_id = ${runId} and seq > ${after} order by seq limit ${limit}`,
    );
  }

  proposals(runId: string): Promise<ProposalRow[]> {
    return this.#proposals(sql`run_id = ${runId}`);
  }

  async proposal({ runId, seq, place }: CallKey): Promise<ProposalRow | undefined> {
    return (await this.#proposals(sql`run_id = ${runId} and seq = ${seq} and place = ${place}`))[0];
  }

  async propose(proposal: NewProposal): Promise<boolean> {
    const { runId, seq, place, taskType, kind, request, status, questionId, decidedBy, createdAt } = proposal;
    const rows = await all(
      this.#db,
      sql<{ place: number }>`
        insert into assistant_proposals (
          run_id, seq, place, task_type, kind, request, status, question_id, decided_by, created_at
        )
        select run_id, ${seq}, ${place}, ${taskType}, ${kind}, ${request}, ${status}, ${questionId}, ${decidedBy},
          ${createdAt}
        from assistant_runs where run_id = ${runId} and ${open}
        on conflict do nothing
        returning place`,
    );
    return rows.length > 0;
  }

  decide(
    key: CallKey,
    { from, to, by }: { from: ProposalStatus; to: ProposalStatus; by: string | null },
  ): Promise<boolean> {
    return this.#move(key, from, sql`status = ${to}, decided_by = ${by}`);
  }

  submitted(key: CallKey, { run, waitUntil }: { run: string; waitUntil: Instant }): Promise<boolean> {
    return this.#move(
      key,
      'approved',
      sql`status = 'submitted', made_run = ${run}, wait_until = ${waitUntil}`,
    );
  }

  async #move(
    { runId, seq, place }: CallKey,
    from: ProposalStatus,
    set: ReturnType<typeof sql>,
  ): Promise<boolean> {
    const count = await changed(
      this.#db,
      sql`
        update assistant_proposals set ${set}
        where run_id = ${runId} and seq = ${seq} and place = ${place} and status = ${from}
          and exists (select 1 from assistant_runs where run_id = ${runId} and ${open})`,
    );
    return count > 0;
  }

  #proposals(where: ReturnType<typeof sql>): Promise<ProposalRow[]> {
    return all(
      this.#db,
      sql<ProposalRow>`
        select run_id as "runId", seq, place, task_type as "taskType", kind, request, status,
          question_id as "questionId", made_run as "madeRun", decided_by as "decidedBy", wait_until as "waitUntil",
          created_at as "createdAt"
        from assistant_proposals where ${where} order by seq, place`,
    );
  }

  async #read(which: ReturnType<typeof sql>): Promise<AssistantRunRow[]> {
    const rows = await all(
      this.#db,
      sql<Omit<AssistantRunRow, 'allowTaskTypes'> & { allowTaskTypes: string }>`
        select run_id as "runId", organization_id as "organizationId", status, prompt,
          allow_task_types as "allowTaskTypes", max_steps as "maxSteps", max_tokens as "maxTokens",
          timeout_ms as "timeoutMs", steps, mistakes, tokens_in as "tokensIn", tokens_out as "tokensOut",
          transcript_bytes as "transcriptBytes", answer, error_code as "errorCode", error_message as "errorMessage",
          created_by as "createdBy", created_at as "createdAt", started_at as "startedAt", deadline_at as "deadlineAt",
          completed_at as "completedAt"
        from assistant_runs ${which}`,
    );
    return rows.map((row) => ({ ...row, allowTaskTypes: JSON.parse(row.allowTaskTypes) as string[] }));
  }
}
