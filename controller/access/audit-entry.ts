import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Instant } from '../../shared/clock.ts';
import type { Actor } from '../devices/actor.ts';
import type { NewAuditEntry } from '../store/audit.ts';

/** What is written down of a change: never a secret. */
export const auditEntry = (
  actor: Actor,
  at: Instant,
  what: { action: AuditAction; target: string; detail?: Record<string, unknown> },
): NewAuditEntry => ({
  at,
  organizationId: actor.organizationId,
  actor: actor.name,
  action: what.action,
  target: what.target,
  detail: what.detail ?? {},
  ipAddress: actor.ipAddress,
  requestId: actor.requestId,
});
