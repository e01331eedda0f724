import type { Snapshot, SnapshotView } from '../../shared/api/configs.ts';
import type { ConfigView } from '../../shared/task-types/pull.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { SnapshotRow } from '../store/snapshots.ts';

/** A version of a configuration as the API shows it. */
export const showSnapshot = (row: SnapshotRow, device: { id: string; name: string }): Snapshot => ({
  device_uuid: device.id,
  device_name: device.name,
  version: row.version,
  reason: row.reason,
  ruleset: row.ruleset,
  profile: row.profile,
  view_sha256: row.viewSha256,
  bytes: row.bytes,
  has_raw: row.rawSha256 !== null,
  units: row.units.map(({ unit, status, files, bytes }) => ({ unit, status, files, bytes })),
  first_seen_at: rfc3339(row.firstSeenAt),
  last_seen_at: rfc3339(row.lastSeenAt),
  task: row.task,
});

export const showSnapshotView = (
  row: SnapshotRow,
  device: { id: string; name: string },
  view: ConfigView,
): SnapshotView => ({
  ...showSnapshot(row, device),
  files: view.units.flatMap(({ unit, files }) =>
    files.map(({ path, mode, owner, group, text = null, withheld = null }) => ({
      unit,
      path,
      mode,
      owner,
      group,
      text,
      withheld,
    })),
  ),
  running: view.units.flatMap(({ unit, running }) =>
    running === undefined ? [] : [{ unit, text: running }],
  ),
});
