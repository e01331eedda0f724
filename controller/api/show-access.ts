import type { AccessToken, AuditEntry, EnrolmentToken } from '../../shared/api/access.ts';
import type { Instant } from '../../shared/clock.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { AccessTokenRow, EnrolmentTokenRow, OrganizationRow } from '../store/access.ts';
import type { AuditRow } from '../store/audit.ts';
import { shownOrNull } from './show-time.ts';

interface Ending {
  expiresAt: Instant | null;
  revokedAt: Instant | null;
}

const showEnding = ({ expiresAt, revokedAt }: Ending, now: Instant) => ({
  expires_at: shownOrNull(expiresAt),
  is_expired: expiresAt !== null && expiresAt <= now,
  is_revoked: revokedAt !== null,
});

export const showAccessToken = (
  row: AccessTokenRow,
  organization: OrganizationRow,
  now: Instant,
): AccessToken => ({
  name: row.name,
  token_prefix: row.prefix,
  scope: row.scope,
  organization: organization.name,
  last_used_at: shownOrNull(row.lastUsedAt),
  created_at: rfc3339(row.createdAt),
  ...showEnding(row, now),
});

export const showEnrolmentToken = (row: EnrolmentTokenRow, now: Instant): EnrolmentToken => ({
  name: row.name,
  token_prefix: row.prefix,
  uses: row.uses,
  max_uses: row.maxUses,
  auto_approve: row.autoApprove,
  labels: row.labels,
  created_at: rfc3339(row.createdAt),
  ...showEnding(row, now),
});

export const showAuditEntry = (row: AuditRow): AuditEntry => ({
  id: row.id,
  at: rfc3339(row.at),
  actor: row.actor,
  action: row.action,
  target: row.target,
  detail: row.detail,
  ip_address: row.ipAddress,
  request_id: row.requestId,
});
