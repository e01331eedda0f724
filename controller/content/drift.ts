import type { DriftStatus } from '../../shared/api/sync.ts';
import type { Instant } from '../../shared/clock.ts';
import type { PullReport } from '../../shared/protocol/transfer.ts';
import type { UnitStatus } from '../../shared/task-types/pull.ts';
import type { ConfigUnit, DeviceConfigRow } from '../store/device-configs.ts';
import type { NewEvent } from '../store/events.ts';
import type { StoreTables } from '../store/store.ts';

/** What one unit says of the whole device. A pending reload is drift: what runs is not what was confirmed. */
const meaning: Record<UnitStatus, DriftStatus> = {
  in_sync: 'IN_SYNC',
  never_synced: 'NEVER_SYNCED',
  file_changed: 'DRIFT',
  running_only: 'DRIFT',
  pending_reload: 'DRIFT',
  unreadable: 'ERROR',
  unstable: 'ERROR',
  suspect: 'ERROR',
};
/** The worst counts. */
const order: DriftStatus[] = ['ERROR', 'DRIFT', 'IN_SYNC', 'NEVER_SYNCED'];

/**
 * Notes what a PULL found about drift, with its event. Units that it did not look at stay as they were known. A PULL that began before
 * the last confirmation may have read what was there before it, and says nothing.
 */
export async function notePulled(
  tables: StoreTables,
  task: { deviceId: string; organizationId: string; startedAt: Instant | null },
  report: PullReport,
  now: Instant,
): Promise<void> {
  const { deviceId } = task;
  const before = (await tables.deviceConfigs.getMany([deviceId])).get(deviceId) ?? nothingKnown(deviceId);
  if (before.syncedAt !== null && before.syncedAt >= (task.startedAt ?? now)) return;
  const known = asDeviceSays(before, report, now);
  const looked = new Set(report.units.map(({ unit }) => unit));
  const units: ConfigUnit[] = [
    ...known.units.filter(({ unit }) => !looked.has(unit)),
    ...report.units.map(({ unit, status, message }) => ({ unit, status, message })),
  ].sort((left, right) => (left.unit < right.unit ? -1 : 1));
  const [failed, read] = split(report.units, ({ status }) => meaning[status] === 'ERROR');
  const after: DeviceConfigRow = {
    ...known,
    base: { ...known.base, ...Object.fromEntries(read.map(({ unit, state }) => [unit, state])) },
    driftStatus: driftOf(units, report.complete),
    driftCheckedAt: now,
    units,
    error: failed.length === 0 ? null : failed.map(({ unit, message }) => `${unit}: ${message}`).join('; '),
  };
  await tables.deviceConfigs.put([after]);
  await tables.events.append(driftEvents([{ before, after, organizationId: task.organizationId }], now));
}

export function driftOf(units: { status: string }[], complete: boolean): DriftStatus {
  const found = units.map(({ status }) => meaning[status as UnitStatus] ?? 'ERROR');
  if (!complete) found.push('ERROR');
  return order.find((status) => found.includes(status)) ?? 'NEVER_SYNCED';
}

/** One event for each device whose status is another now. */
export const driftEvents = (
  changes: { before: DeviceConfigRow; after: DeviceConfigRow; organizationId: string }[],
  at: Instant,
): NewEvent[] =>
  changes
    .filter(({ before, after }) => before.driftStatus !== after.driftStatus)
    .map(({ before, after, organizationId }) => ({
      type: 'device.drift',
      at,
      organizationId,
      deviceId: after.deviceId,
      taskId: null,
      runId: null,
      data: { from: before.driftStatus, to: after.driftStatus, ...(after.error && { error: after.error }) },
    }));

/** The device knows what it confirmed: a controller that lost it learns it again, and a device that was set up anew has nothing. */
function asDeviceSays(known: DeviceConfigRow, report: PullReport, now: Instant): DeviceConfigRow {
  const { generation, content } = report;
  if (generation === null || content === null) {
    return { ...known, syncedContent: null, syncedGeneration: null, syncedAt: null, base: {}, units: [] };
  }
  if (generation === known.syncedGeneration && content === known.syncedContent) return known;
  return {
    ...known,
    generation: Math.max(known.generation, generation),
    syncedContent: content,
    syncedGeneration: generation,
    syncedAt: now,
  };
}

export const nothingKnown = (deviceId: string): DeviceConfigRow => ({
  deviceId,
  generation: 0,
  syncedContent: null,
  syncedGeneration: null,
  syncedAt: null,
  base: {},
  driftStatus: 'NEVER_SYNCED',
  driftCheckedAt: null,
  units: [],
  error: null,
});

function split<One>(all: One[], holds: (one: One) => boolean): [yes: One[], no: One[]] {
  return [all.filter(holds), all.filter((one) => !holds(one))];
}
