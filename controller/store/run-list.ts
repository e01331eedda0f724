import { type RawBuilder, sql } from 'kysely';
import type { RunStatus } from '../../shared/api/runs.ts';
import type { Db } from './dialect.ts';
import type { RunFilter } from './runs.ts';

/** Which runs `r` a filter wants; the index to go by decides how many are looked at. */
export function runConditions(db: Db, filter: RunFilter): { index: string; where: RawBuilder<unknown> } {
  const list = [sql`r.organization_id = ${filter.organizationId}`];
  if (filter.schedule !== undefined)
    list.push(sql`r.schedule is not null and r.schedule = ${filter.schedule}`);
  if (filter.type !== undefined) list.push(sql`r.type = ${filter.type}`);
  if (filter.trigger !== undefined) list.push(sql`r.trigger = ${filter.trigger}`);
  if (filter.createdAfter !== undefined) list.push(sql`r.created_at >= ${filter.createdAfter}`);
  if (filter.createdBefore !== undefined) list.push(sql`r.created_at < ${filter.createdBefore}`);
  if (filter.status !== undefined) {
    list.push(
      sql`case when r.type = 'AGENT_TASK' then ${agentHasStatus(filter.status)} else ${hasStatus(db, filter.status)} end`,
    );
  }
  return {
    index: filter.schedule === undefined ? 'runs_history' : 'runs_schedule',
    where: sql.join(list, sql` and `),
  };
}

/** The same of runs without tasks. */
function agentHasStatus(status: RunStatus): RawBuilder<unknown> {
  const words = {
    IN_PROGRESS: ['running', 'waiting'],
    COMPLETED: ['completed'],
    FAILED: ['failed'],
    CANCELLED: ['cancelled'],
    STOPPED: [],
  }[status];
  if (words.length === 0) return sql`0 = 1`;
  return sql`exists (select 1 from assistant_runs where run_id = r.id and status in (${sql.join(words)}))`;
}

/** What `runStatus` of the tasks' part derives from the counts, as a condition. */
function hasStatus(db: Db, status: RunStatus): RawBuilder<unknown> {
  const some = (states: string) => sql`exists (
    select 1 from tasks as t ${db.dialect.indexed('tasks_run')}
    where t.run_id = r.id and t.superseded = 0 and t.status in (${sql.raw(states)})
  )`;
  const isOpen = sql`(${some(`'SCHEDULED', 'PENDING', 'IN_PROGRESS'`)} or (r.retry_open = 1 and ${some(`'FAILED'`)}))`;
  if (status === 'IN_PROGRESS') return isOpen;
  const isStopped = sql`(r.stopped_at is not null and r.stopped_reason <> 'cancelled')`;
  if (status === 'STOPPED') return sql`not ${isOpen} and ${isStopped}`;
  const isCancelled = sql`(${some(`'CANCELLED'`)} and not ${some(`'COMPLETED', 'FAILED', 'EXPIRED'`)})`;
  const isOver = sql`not ${isOpen} and not ${isStopped}`;
  if (status === 'CANCELLED') return sql`${isOver} and ${isCancelled}`;
  const isBad = some(`'FAILED', 'EXPIRED', 'CANCELLED'`);
  if (status === 'COMPLETED') return sql`${isOver} and not ${isBad}`;
  return sql`${isOver} and ${isBad} and not ${isCancelled}`;
}
