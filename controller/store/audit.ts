import { sql } from 'kysely';
import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { listAudit } from './audit-list.ts';
import { type Db, all, changed } from './dialect.ts';

export interface NewAuditEntry {
  at: Instant;
  organizationId: string | null;
  actor: string;
  action: AuditAction;
  target: string;
  detail: Record<string, unknown>;
  ipAddress: string | null;
  requestId: string | null;
}

export interface AuditRow extends Omit<NewAuditEntry, 'action'> {
  /** Also the type of an event. */
  action: string;
  /** Negative for a move of a task: the event that tells of it. */
  id: number;
}

export interface AuditFilter {
  organizationId: string;
  actor?: string;
  action?: string;
  target?: string;
  /** In any field, in any letter case. */
  search?: string;
  createdAfter?: Instant;
  createdBefore?: Instant;
}

/**
 * Who changed what: appended in the transaction of the change, never altered. What devices and deadlines do to tasks is not written
 * twice: the events that tell of it are listed among the entries, as long as events are kept.
 */
export interface AuditStore {
  append(entries: NewAuditEntry[]): Promise<void>;
  /** Newest first. `createdAfter` is inclusive, `createdBefore` exclusive. The target of a move is the task's code. */
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

  list(filter: AuditFilter, paging: Paging): Promise<PageOf<AuditRow>> {
    return listAudit(this.#db, filter, paging);
  }

  async prune(before: Instant): Promise<number> {
    return changed(this.#db, sql`delete from audit where at < ${before}`);
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
