import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from '../dialect.ts';

/** Runs that work on a prompt: how far each is, every message of its conversation, and what the model wanted done. */
export function assistantTables({ types }: Dialect): RawBuilder<unknown>[] {
  const { integer, counter, table, keyed } = types;
  return [
    sql`create table assistant_runs (
      seq ${counter},
      run_id text not null references runs (id) on delete cascade deferrable initially deferred,
      organization_id text not null references organizations (id),
      status text not null,
      prompt text not null,
      allow_task_types text not null,
      max_steps ${integer} not null,
      max_tokens ${integer} not null,
      timeout_ms ${integer} not null,
      steps ${integer} not null default 0,
      mistakes ${integer} not null default 0,
      tokens_in ${integer} not null default 0,
      tokens_out ${integer} not null default 0,
      transcript_bytes ${integer} not null default 0,
      answer text,
      error_code text,
      error_message text,
      created_by text not null,
      created_at ${integer} not null,
      started_at ${integer},
      deadline_at ${integer},
      completed_at ${integer}
    ) ${table}`,
    sql`create unique index assistant_runs_id on assistant_runs (run_id)`,
    sql`create index assistant_runs_open on assistant_runs (seq) where status in ('running', 'waiting')`,

    sql`create table assistant_messages (
      run_id text not null references assistant_runs (run_id) on delete cascade,
      seq ${integer} not null,
      at ${integer} not null,
      role text not null,
      content text not null,
      primary key (run_id, seq)
    ) ${keyed}`,

    sql`create table assistant_proposals (
      run_id text not null references assistant_runs (run_id) on delete cascade,
      seq ${integer} not null,
      place ${integer} not null,
      task_type text not null,
      kind text not null,
      request text not null,
      status text not null,
      question_id text,
      made_run text,
      decided_by text,
      wait_until ${integer},
      created_at ${integer} not null,
      primary key (run_id, seq, place)
    ) ${keyed}`,
  ];
}
