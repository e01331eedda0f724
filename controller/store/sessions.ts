import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { isFinal, type TaskState, taskStateNames } from '../../shared/task-state.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, atomically, changed } from './dialect.ts';

export interface NewSession {
  id: string;
  taskCode: string;
  organizationId: string;
  deviceId: string;
  mode: 'full' | 'readonly';
  openedBy: string;
  /** SHA-256 of the operator's token. */
  tokenHash: string;
  createdAt: Instant;
}

export interface SessionRow extends NewSession {
  deviceName: string;
  /** When a side was joined first and only. */
  deviceAt: Instant | null;
  operatorAt: Instant | null;
  operatorAddress: string | null;
  closedAt: Instant | null;
  bytesIn: number;
  bytesOut: number;
  /** Of the task: its state decides whether the session lives. */
  status: TaskState;
  errorCode: string | null;
  errorMessage: string | null;
  result: Record<string, unknown> | null;
  expiresAt: Instant | null;
}

export type SessionLife = 'waiting' | 'ready' | 'open' | 'closed';

export interface SessionStore {
  insert(row: NewSession): Promise<void>;
  /** By its id, or the code of its task. */
  get(organizationId: string, idOrCode: string): Promise<SessionRow | undefined>;
  /** For whoever proves to be one of its sides. */
  byId(id: string): Promise<SessionRow | undefined>;
  /** Takes a side, once: false when it was taken, or the session is closed. */
  join(id: string, side: 'device' | 'operator', now: Instant, address: string | null): Promise<boolean>;
  close(id: string, now: Instant, totals: { bytesIn: number; bytesOut: number }): Promise<void>;
  list(
    organizationId: string,
    filter: { life?: SessionLife; device?: string },
    paging: Paging,
  ): Promise<PageOf<SessionRow>>;
  /** Closed ones that were opened before, and their hold on their recordings; returns how many went. */
  prune(before: Instant, limit: number): Promise<number>;
}

const finals = sql.raw(
  taskStateNames
    .filter(isFinal)
    .map((name) => `'${name}'`)
    .join(', '),
);

/** What a row says about the life of its session. */
const lives: Record<SessionLife, RawBuilder<unknown>> = {
  closed: sql`(s.closed_at is not null or t.status in (${finals}))`,
  open: sql`(s.closed_at is null and t.status not in (${finals}) and s.operator_at is not null)`,
  ready: sql`(s.closed_at is null and t.status not in (${finals}) and s.operator_at is null and s.device_at is not null)`,
  waiting: sql`(s.closed_at is null and t.status not in (${finals}) and s.operator_at is null and s.device_at is null)`,
};

export function lifeOf({ closedAt, status, operatorAt, deviceAt }: SessionRow): SessionLife {
  if (closedAt !== null || isFinal(status)) return 'closed';
  if (operatorAt !== null) return 'open';
  return deviceAt === null ? 'waiting' : 'ready';
}

export class SqlSessionStore implements SessionStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(row: NewSession): Promise<void> {
    await all(
      this.#db,
      sql`
        insert into sessions (id, task_code, organization_id, device_id, mode, opened_by, token_hash, created_at)
        values (
          ${row.id}, ${row.taskCode}, ${row.organizationId}, ${row.deviceId}, ${row.mode}, ${row.openedBy},
          ${row.tokenHash}, ${row.createdAt}
        )`,
    );
  }

  async get(organizationId: string, idOrCode: string): Promise<SessionRow | undefined> {
    const [row] = await this.#read(
      sql`s.organization_id = ${organizationId} and (s.id = ${idOrCode} or s.task_code = ${idOrCode})`,
      { page: 1, perPage: 1 },
    );
    return row;
  }

  async byId(id: string): Promise<SessionRow | undefined> {
    return (await this.#read(sql`s.id = ${id}`, { page: 1, perPage: 1 }))[0];
  }

  async join(
    id: string,
    side: 'device' | 'operator',
    now: Instant,
    address: string | null,
  ): Promise<boolean> {
    const set =
      side === 'device' ? sql`device_at = ${now}` : sql`operator_at = ${now}, operator_address = ${address}`;
    const column = sql.raw(side === 'device' ? 'device_at' : 'operator_at');
    const count = await changed(
      this.#db,
      sql`update sessions set ${set} where id = ${id} and ${column} is null and closed_at is null`,
    );
    return count > 0;
  }

  async close(id: string, now: Instant, totals: { bytesIn: number; bytesOut: number }): Promise<void> {
    const { bytesIn, bytesOut } = totals;
    await changed(
      this.#db,
      sql`
        update sessions set closed_at = ${now}, bytes_in = ${bytesIn}, bytes_out = ${bytesOut}
        where id = ${id} and closed_at is null`,
    );
  }

  async list(
    organizationId: string,
    { life, device }: { life?: SessionLife; device?: string },
    paging: Paging,
  ): Promise<PageOf<SessionRow>> {
    const where = sql`
      s.organization_id = ${organizationId}
      ${life === undefined ? sql`` : sql`and ${lives[life]}`}
      ${device === undefined ? sql`` : sql`and d.name = ${device}`}`;
    const [counted] = await all(
      this.#db,
      sql<{ total: number }>`select count(*) as total from ${joined} where ${where}`,
    );
    return { items: await this.#read(where, paging), total: Number(counted?.total ?? 0) };
  }

  async prune(before: Instant, limit: number): Promise<number> {
    return atomically(this.#db, async (db) => {
      const count = await changed(
        db,
        sql`
          delete from sessions where id in (
            select s.id from sessions as s
            where s.created_at < ${before}
              and not exists (select 1 from tasks as t where t.code = s.task_code and t.status not in (${finals}))
            limit ${limit}
          )`,
      );
      await changed(
        db,
        sql`
          delete from blob_refs
          where kind = 'recording' and not exists (select 1 from sessions where task_code = blob_refs.holder)`,
      );
      return count;
    });
  }

  async #read(where: RawBuilder<unknown>, { page, perPage }: Paging): Promise<SessionRow[]> {
    const rows = await all(
      this.#db,
      sql<Stored>`
        select
          s.id as "id", s.task_code as "taskCode", s.organization_id as "organizationId", s.device_id as "deviceId",
          s.mode as "mode", s.opened_by as "openedBy", s.token_hash as "tokenHash", s.created_at as "createdAt",
          s.device_at as "deviceAt", s.operator_at as "operatorAt", s.operator_address as "operatorAddress",
          s.closed_at as "closedAt", s.bytes_in as "bytesIn", s.bytes_out as "bytesOut", d.name as "deviceName",
          t.status as "status", t.error_code as "errorCode", t.error_message as "errorMessage",
          t.result as "result", t.expires_at as "expiresAt"
        from ${joined} where ${where}
        order by s.created_at desc, s.id
        limit ${perPage} offset ${(page - 1) * perPage}`,
    );
    return rows.map(({ result, ...row }) => ({
      ...row,
      result: result === null ? null : (JSON.parse(result) as Record<string, unknown>),
    }));
  }
}

/** A session whose task retention took away is not shown; it goes with the next prune. */
const joined = sql`
  sessions as s
  join devices as d on d.id = s.device_id
  join tasks as t on t.code = s.task_code and t.organization_id = s.organization_id`;

type Stored = Omit<SessionRow, 'result'> & { result: string | null };
