import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';

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
  /** Newest first. */
  list(filter: AuditFilter, paging: Paging): Promise<PageOf<AuditRow>>;
  prune(before: Instant): Promise<number>;
}
