import type { Device } from '../../shared/api/devices.ts';
import { keyFingerprint } from '../../shared/node/keys.ts';
import { rfc3339 } from '../../shared/time.ts';
import { zoneOf } from '../devices/device-zone.ts';
import type { DeviceRegistry } from '../devices/registry.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { DeviceRow } from '../store/devices.ts';
import { shownOrNull } from './show-time.ts';

/** A device as the API shows it. */
export const showDevice = (
  row: DeviceRow,
  organization: OrganizationRow,
  devices: Pick<DeviceRegistry, 'isOnline' | 'lastSeen'>,
): Device => ({
  uuid: row.id,
  name: row.name,
  status: row.status,
  organization: organization.name,
  labels: row.labels,
  organizational_units: row.labels['ou'] === undefined ? [] : [row.labels['ou']],
  version: row.agentVersion,
  online: devices.isOnline(row.id),
  heartbeat: shownOrNull(devices.lastSeen(row)),
  task_types: row.taskTypes,
  facts: row.facts,
  timezone: zoneOf(row),
  key_fingerprint: keyFingerprint(row.publicKey),
  next_key_fingerprint: row.nextPublicKey && keyFingerprint(row.nextPublicKey),
  key_rotation: row.keyWantedAt !== null,
  key_revoked_at: shownOrNull(row.keyRevokedAt),
  boot_id: row.bootId,
  quarantine_reason: row.quarantineReason,
  drift_status: row.driftStatus,
  drift_checked_at: shownOrNull(row.driftCheckedAt),
  synced_at: shownOrNull(row.syncedAt),
  synced_hash: row.syncedContent,
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt),
});
