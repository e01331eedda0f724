import { type RawBuilder, sql } from 'kysely';
import { type Db, all } from './dialect.ts';
import type { TaskMove } from './tasks.ts';

/** What every move returns. */
const returning = sql`
  returning tasks.id, tasks.code, tasks.organization_id as "organizationId", tasks.device_id as "deviceId",
    tasks.run_id as "runId", tasks.type, tasks.lane, tasks.status, tasks.error_code as "errorCode"`;

interface Move {
  /** The index by which the tasks are found. */
  index?: string;
  set: RawBuilder<unknown>;
  from?: RawBuilder<unknown>;
  /** Names the state that is left. */
  where: RawBuilder<unknown>;
}

/** One conditional update; returns the moves it made. */
export async function move(db: Db, { index, set, from, where }: Move): Promise<TaskMove[]> {
  const by = index === undefined ? sql`` : db.dialect.indexed(index);
  const joined = from === undefined ? sql`` : sql`from ${from}`;
  return all(db, sql<TaskMove>`update tasks ${by} set ${set} ${joined} where ${where} ${returning}`);
}
