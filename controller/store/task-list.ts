import { type RawBuilder, sql } from 'kysely';
import { isFinal, type TaskState } from '../../shared/task-state.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all } from './dialect.ts';
import { readTasks, taskJoins } from './task-reads.ts';
import type { TaskFilter, TaskRow } from './tasks.ts';

/** From so many matches on, walking the history from its end finds a page sooner than sorting the matches does. */
const denseMatches = 20_000;

/**
 * One page. Which index leads is decided here, by the filter and by how many tasks match: left to the planner, a rare state or one
 * device among thousands means reading the whole history.
 */
export async function listTasks(db: Db, filter: TaskFilter, paging: Paging): Promise<PageOf<TaskRow>> {
  const total = await countMatches(db, filter);
  const offset = (paging.page - 1) * paging.perPage;
  if (total <= offset) return { items: [], total };

  const byCreation = filter.sortBy === 'created_at';
  const index = byCreation && total > denseMatches ? historyIndex(filter) : narrowestIndex(filter);
  const direction = filter.descending ? 'desc' : 'asc';
  const order = sql.raw(`${sortColumns[filter.sortBy]} ${direction} nulls last, t.seq ${direction}`);
  const named =
    filter.sortBy === 'device_name'
      ? sql`cross join devices ${db.dialect.indexed('devices_id')} on devices.id = t.device_id`
      : sql``;
  const items = await readTasks(
    db,
    sql`
      (
        select t.seq from tasks as t ${db.dialect.indexed(index)} ${named}
        where ${conditions(db, filter, index)}
        order by ${order}
        limit ${paging.perPage} offset ${offset}
      ) as p
      cross join tasks as t on t.seq = p.seq
      ${taskJoins(db)}
      order by ${order}`,
  );
  return { items, total };
}

async function countMatches(db: Db, filter: TaskFilter): Promise<number> {
  if (filter.expired === false && filter.status === undefined) {
    // The history index does not know states, so it is quicker to take the expired ones away.
    const { expired: _, ...others } = filter;
    return (await countMatches(db, others)) - (await countMatches(db, { ...others, status: 'EXPIRED' }));
  }

  const index = narrowestIndex(filter);
  const { organizationId } = filter;
  const [row] = await all(
    db,
    isEverything(filter)
      ? sql<{ total: number }>`select total from task_totals where organization_id = ${organizationId}`
      : sql<{ total: number }>`
          select count(*) as total from tasks as t ${db.dialect.indexed(index)}
          where ${conditions(db, filter, index)}`,
  );
  return row?.total ?? 0;
}

/** Nothing is filtered but the organization: the count is kept (`task_totals`), for a million rows take long to count. */
function isEverything({
  organizationId: _,
  sortBy: __,
  descending: ___,
  ...conditions
}: TaskFilter): boolean {
  return Object.values(conditions).every((condition) => condition === undefined);
}

const liveIndexes: Partial<Record<TaskState, string>> = {
  SCHEDULED: 'tasks_scheduled',
  PENDING: 'tasks_pending',
  IN_PROGRESS: 'tasks_in_progress',
};

/** Devices up to this many are narrower than a final state, which most tasks of a long history share with few others. */
const fewDevices = 200;

function narrowestIndex(filter: TaskFilter): string {
  const status = onlyStatus(filter);
  if (filter.runId !== undefined) return 'tasks_run';
  if (status !== undefined && !isFinal(status)) return liveIndexes[status] ?? 'tasks_history';
  if (filter.deviceIds !== undefined && (status === undefined || filter.deviceIds.length <= fewDevices)) {
    return 'tasks_device';
  }
  return historyIndex(filter);
}

/** The index that has the matches in order of creation. */
function historyIndex(filter: TaskFilter): string {
  const status = onlyStatus(filter);
  return status !== undefined && isFinal(status) ? 'tasks_ended' : 'tasks_history';
}

const onlyStatus = ({ status, expired }: TaskFilter): TaskState | undefined =>
  status ?? (expired === true ? 'EXPIRED' : undefined);

function conditions(db: Db, filter: TaskFilter, index: string): RawBuilder<unknown> {
  const { dialect } = db;
  const list = [organizationCondition(db, filter, index)];
  const status = filter.status;
  // States are literals, or the partial indexes would not be found; `completed_at` is what the index of ended tasks goes by.
  if (status !== undefined) list.push(sql`t.status = ${sql.lit(status)}`);
  if (filter.expired === true) list.push(sql`t.status = 'EXPIRED'`);
  if (filter.expired === false) list.push(sql`t.status <> 'EXPIRED'`);
  if (index === 'tasks_ended') list.push(sql`t.completed_at is not null`);
  if (filter.type !== undefined) list.push(sql`t.type = ${filter.type}`);
  if (filter.createdAfter !== undefined) list.push(sql`t.created_at >= ${filter.createdAfter}`);
  if (filter.createdBefore !== undefined) list.push(sql`t.created_at < ${filter.createdBefore}`);
  if (filter.runId !== undefined) list.push(sql`t.run_id = ${filter.runId}`);
  if (filter.deviceIds !== undefined && index !== 'tasks_device') {
    list.push(sql`t.device_id in ${dialect.list(filter.deviceIds)}`);
  }
  return sql.join(list, sql` and `);
}

/** By devices, it is the devices' organization that is asked for: so the index alone answers. */
function organizationCondition(db: Db, filter: TaskFilter, index: string): RawBuilder<unknown> {
  const { organizationId, deviceIds } = filter;
  if (index !== 'tasks_device' || deviceIds === undefined) {
    return sql`t.organization_id = ${organizationId}`;
  }
  return sql`t.device_id in (
    select devices.id from ${db.dialect.ids('j', deviceIds)} cross join devices ${db.dialect.indexed('devices_id')}
    where devices.id = j.id and devices.organization_id = ${organizationId}
  )`;
}

const sortColumns: Record<TaskFilter['sortBy'], string> = {
  created_at: 't.created_at',
  updated_at: 't.updated_at',
  scheduled_at: 't.scheduled_at',
  expires_at: 't.expires_at',
  status: 't.status',
  type: 't.type',
  device_name: 'devices.name',
};
