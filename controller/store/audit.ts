import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, changed } from './dialect.ts';

export interface NewAuditEntry {
  at: Instant;
  organizationId: string | null;
  actor: string;
  action: string;
  target: string;
  detail: Record<string, unknown>;
  ipAddress: string | null;
  requestId: string | null;
}

export interface AuditRow extends NewAuditEntry {
  id: number;
}

export interface AuditFilter {
  organizationId: string;
  actor?: string;
  action?: string;
  target?: string;
  createdAfter?: Instant;
  createdBefore?: Instant;
}

/** Who changed what: appended in the transaction of the change, never altered. */
export interface AuditStore {
  append(entries: NewAuditEntry[]): Promise<void>;
  /** Newest first. `createdAfter` is inclusive, `createdBefore` exclusive. */
  list(filter: AuditFilter, paging: Paging): Promise<PageOf<AuditRow>>;
  prune(before: Instant): Promise<number>;
}

export class SqlAuditStore implements AuditStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async append(entries: NewAuditEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await all(
      this.#db,
      sql`
        insert into audit (at, organization_id, actor, action, target, detail, ip_address, request_id)
        select at, organization_id, actor, action, target, detail, ip_address, request_id
        from ${this.#db.dialect.rows('j', columns, entries)}`,
    );
  }

  async list(filter: AuditFilter, paging: Paging): Promise<PageOf<AuditRow>> {
    const matching = this.#matching(filter);
    const { total } = await matching
      .select((the) => the.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    const rows = await matching
      .select(['id', 'at', 'actor', 'action', 'target', 'detail'])
      .select(['organization_id as organizationId', 'ip_address as ipAddress', 'request_id as requestId'])
      .orderBy('at', 'desc')
      .orderBy('id', 'desc')
      .limit(paging.perPage)
      .offset((paging.page - 1) * paging.perPage)
      .execute();
    return { items: rows.map((row) => ({ ...row, detail: JSON.parse(row.detail) })), total };
  }

  async prune(before: Instant): Promise<number> {
    return changed(this.#db, sql`delete from audit where at < ${before}`);
  }

  #matching(filter: AuditFilter) {
    let query = this.#db.kysely.selectFrom('audit').where('organization_id', '=', filter.organizationId);
    if (filter.actor !== undefined) query = query.where('actor', '=', filter.actor);
    if (filter.action !== undefined) query = query.where('action', '=', filter.action);
    if (filter.target !== undefined) query = query.where('target', '=', filter.target);
    if (filter.createdAfter !== undefined) query = query.where('at', '>=', filter.createdAfter);
    if (filter.createdBefore !== undefined) query = query.where('at', '<', filter.createdBefore);
    return query;
  }
}

const columns = {
  at: 'integer',
  organizationId: 'text',
  actor: 'text',
  action: 'text',
  target: 'text',
  detail: 'text',
  ipAddress: 'text',
  requestId: 'text',
} as const;
