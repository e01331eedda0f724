import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Instant } from '../../shared/clock.ts';
import type { NewAuditEntry } from '../store/audit.ts';

/** Who changes something: a person by e-mail, `controller`, or `device NAME`. */
export interface Author {
  name: string;
  organizationId: string;
  ipAddress: string | null;
  requestId: string | null;
}

/** The controller itself, acting for an organization. */
export const controllerAuthor = (organizationId: string): Author => ({
  name: 'controller',
  organizationId,
  ipAddress: null,
  requestId: null,
});

export const auditEntry = (
  { name, organizationId, ipAddress, requestId }: Author,
  at: Instant,
  what: { action: AuditAction; target: string; detail: Record<string, unknown> },
): NewAuditEntry => ({ at, organizationId, actor: name, ...what, ipAddress, requestId });
