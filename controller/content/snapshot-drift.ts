import type { DriftStatus } from '../../shared/api/sync.ts';
import type { Instant } from '../../shared/clock.ts';
import type { PullReport } from '../../shared/protocol/transfer.ts';
import type { UnitStatus } from '../../shared/task-types/pull.ts';
import type { ConfigUnit, DeviceConfigRow } from '../store/device-configs.ts';
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

/** Notes what a PULL found about drift. Units that it did not look at stay as they were known. */
export async function notePulled(
  tables: StoreTables,
  deviceId: string,
  report: PullReport,
  now: Instant,
): Promise<void> {
  const known = (await tables.deviceConfigs.getMany([deviceId])).get(deviceId) ?? unknownDevice(deviceId);
  const looked = new Map(report.units.map((unit) => [unit.unit, unit]));
  const units: ConfigUnit[] = [
    ...known.units.filter(({ unit }) => !looked.has(unit)),
    ...report.units.map(({ unit, status, message }) => ({ unit, status, message })),
  ].sort((left, right) => (left.unit < right.unit ? -1 : 1));
  const read = report.units.filter(({ status }) => meaning[status] !== 'ERROR');
  const failed = report.units.filter(({ status }) => meaning[status] === 'ERROR');
  await tables.deviceConfigs.put([
    {
      ...confirmed(known, report, now),
      base: { ...known.base, ...Object.fromEntries(read.map(({ unit, state }) => [unit, state])) },
      driftStatus: driftOf(units, report.complete),
      driftCheckedAt: now,
      units,
      error: failed.length === 0 ? null : failed.map(({ unit, message }) => `${unit}: ${message}`).join('; '),
    },
  ]);
}

export function driftOf(units: { status: string }[], complete: boolean): DriftStatus {
  const found = units.map(({ status }) => meaning[status as UnitStatus] ?? 'ERROR');
  if (!complete) found.push('ERROR');
  return order.find((status) => found.includes(status)) ?? 'NEVER_SYNCED';
}

/** The device knows what it confirmed; a controller that lost it learns it again. */
function confirmed(
  known: DeviceConfigRow,
  { generation, content }: PullReport,
  now: Instant,
): DeviceConfigRow {
  if (generation === null || content === null || generation <= (known.syncedGeneration ?? 0)) return known;
  return {
    ...known,
    generation: Math.max(known.generation, generation),
    syncedContent: content,
    syncedGeneration: generation,
    syncedAt: known.syncedContent === content ? known.syncedAt : now,
  };
}

const unknownDevice = (deviceId: string): DeviceConfigRow => ({
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
