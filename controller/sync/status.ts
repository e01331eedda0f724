import type { z } from 'zod';
import type { SyncStatus } from '../../shared/api/sync.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { OrganizationRow, PageOf, Paging } from '../store/access.ts';
import type { DeviceFilter, DeviceRow } from '../store/devices.ts';
import { loadDesired } from './load-desired.ts';
import { Pace } from './pace.ts';
import type { SyncParts } from './parts.ts';

type Status = z.output<typeof SyncStatus>;

/** What is desired for, confirmed by, and seen on each device of one page. */
export async function syncStatus(
  parts: SyncParts,
  organization: OrganizationRow,
  { filter, paging }: { filter: Pick<DeviceFilter, 'ids' | 'driftStatus'>; paging: Paging },
): Promise<PageOf<Status>> {
  const order = { organizationId: organization.id, sortBy: 'name' as const, descending: false };
  const { items, total } = await parts.store.devices.list({ ...order, ...filter }, paging);
  const ids = items.map(({ id }) => id);
  const [configs, rolledBack, desiredOf] = await Promise.all([
    parts.store.deviceConfigs.getMany(ids),
    parts.store.deviceConfigs.rolledBack(ids),
    loadDesired(parts, organization.id, items),
  ]);
  const pace = new Pace(parts.clock);
  const shown: Status[] = [];
  for (const device of items) {
    const desired = desiredOf(device);
    const config = configs.get(device.id);
    const current = desired.ok ? desired.desired.content : null;
    const quarantined = rolledBack.filter((row) => row.deviceId === device.id && row.releasedAt === null);
    shown.push({
      ...ofDevice(device, organization),
      current_hash: current,
      desired_problem: desired.ok ? null : desired.problem.code,
      in_sync: current !== null && current === device.syncedContent && device.driftStatus === 'IN_SYNC',
      generation: config?.syncedGeneration ?? null,
      units: config?.units ?? [],
      quarantined: quarantined.map(({ content }) => content),
      error:
        config?.error ??
        (desired.ok || desired.problem.code === 'no_bundle' ? null : desired.problem.message),
    });
    await pace.turn();
  }
  return { items: shown, total };
}

const ofDevice = (device: DeviceRow, organization: OrganizationRow) => ({
  device_uuid: device.id,
  device_name: device.name,
  organization: organization.name,
  drift_status: device.driftStatus,
  drift_checked_at: device.driftCheckedAt === null ? null : rfc3339(device.driftCheckedAt),
  synced_at: device.syncedAt === null ? null : rfc3339(device.syncedAt),
  synced_hash: device.syncedContent,
});
