import { sql } from 'kysely';
import type { EventType } from '../../shared/api/events.ts';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all, changed } from './dialect.ts';

export interface NewEvent {
  type: EventType;
  at: Instant;
  organizationId: string;
  deviceId: string | null;
  taskId: string | null;
  runId: string | null;
  data: Record<string, unknown>;
}

export interface EventRow extends NewEvent {
  cursor: number;
  organizationName: string;
  deviceName: string | null;
  taskCode: string | null;
}

export interface EventFilter {
  organizationId: string;
  taskId?: string;
  runId?: string;
}

/** What happened, in order. Cursors increase and are never used twice. Bounded by `prune`. */
export interface EventStore {
  append(events: NewEvent[]): Promise<void>;
  /** In order of cursor. Names and codes are those of now; they are null for what is gone. Reads over what the filter excludes. */
  read(filter: EventFilter, after: number, limit: number): Promise<EventRow[]>;
  /** Oldest cursor kept and newest ever given (0 and 0 when there was none). When none is kept, oldest is the next to be given. */
  range(): Promise<{ oldest: number; newest: number }>;
  /**
   * Deletes from the oldest on, so that what is kept has no holes: all but the newest `keep`, and what precedes the first event
   * that is not older than `before`. Returns how many were deleted.
   */
  prune(keep: number, before: Instant): Promise<number>;
}

export class SqlEventStore implements EventStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async append(events: NewEvent[]): Promise<void> {
    if (events.length === 0) return;
    await all(
      this.#db,
      sql`
        insert into events (type, at, organization_id, device_id, task_id, run_id, data)
        select type, at, organization_id, device_id, task_id, run_id, data
        from ${this.#db.dialect.rows('j', columns, events)}`,
    );
  }

  async read(filter: EventFilter, after: number, limit: number): Promise<EventRow[]> {
    const task = filter.taskId === undefined ? sql`` : sql`and e.task_id = ${filter.taskId}`;
    const run = filter.runId === undefined ? sql`` : sql`and e.run_id = ${filter.runId}`;
    const rows = await all(
      this.#db,
      sql<Omit<EventRow, 'data'> & { data: string }>`
        select page.cursor, page.type, page.at, page.data, page.organization_id as "organizationId",
          page.device_id as "deviceId", page.task_id as "taskId", page.run_id as "runId",
          organizations.name as "organizationName", devices.name as "deviceName", tasks.code as "taskCode"
        from (
          select * from events as e
          where e.cursor > ${after} and e.organization_id = ${filter.organizationId} ${task} ${run}
          order by e.cursor
          limit ${limit}
        ) as page
        join organizations on organizations.id = page.organization_id
        left join devices ${this.#db.dialect.indexed('devices_id')} on devices.id = page.device_id
        left join tasks ${this.#db.dialect.indexed('tasks_id')} on tasks.id = page.task_id
        order by page.cursor`,
    );
    return rows.map((row) => ({ ...row, data: JSON.parse(row.data) }));
  }

  async range(): Promise<{ oldest: number; newest: number }> {
    const [given] = await all(this.#db, this.#db.dialect.newest('events'));
    const [kept] = await all(
      this.#db,
      sql<{ oldest: number | null }>`select min(cursor) as oldest from events`,
    );
    const newest = given?.newest ?? 0;
    return { oldest: kept?.oldest ?? (newest === 0 ? 0 : newest + 1), newest };
  }

  async prune(keep: number, before: Instant): Promise<number> {
    return changed(
      this.#db,
      sql`
        delete from events
        where cursor <= (select cursor from events order by cursor desc limit 1 offset ${keep})
          or cursor < coalesce(
            (select cursor from events where at >= ${before} order by cursor limit 1),
            (select max(cursor) + 1 from events)
          )`,
    );
  }
}

const columns = {
  type: 'text',
  at: 'integer',
  organizationId: 'text',
  deviceId: 'text',
  taskId: 'text',
  runId: 'text',
  data: 'text',
} as const;
