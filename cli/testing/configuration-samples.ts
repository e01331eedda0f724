import type { z } from 'zod';
import type { Bundle } from '../../shared/api/bundles.ts';
import type { Snapshot, SnapshotDiff, SnapshotView } from '../../shared/api/configs.ts';
import type { DevicePlan, SyncStatus } from '../../shared/api/sync.ts';
import type { Variable } from '../../shared/api/variables.ts';
import type { SyncResult } from '../../shared/task-types/sync.ts';

const at = '2026-01-01T00:00:00.000Z';
const uuid = '9d1d8a52-6c0e-4c8e-9f37-5a4a1f3f0d13';

export const sampleBundle = (changes: Partial<Bundle> = {}): Bundle => ({
  name: 'branch',
  organization: 'default',
  revision: 4,
  profile: 'debian',
  description: '',
  targets: { labels: { site: 'branch' } },
  files: [
    { path: '/etc/motd', unit: 'files', template: 'Hello {{ device.name }}\n', absent: false },
    { path: '/etc/old.conf', unit: 'files', absent: true },
  ],
  file_count: 2,
  updated_by: 'admin@example.org',
  created_at: at,
  updated_at: at,
  ...changes,
});

export const sampleVariable = (changes: Partial<Variable> = {}): Variable => ({
  name: 'dns',
  scope: 'organization',
  key: null,
  secret: false,
  value: '10.0.0.53',
  updated_by: 'admin@example.org',
  updated_at: at,
  ...changes,
});

export const sampleDiff = '--- a/etc/motd\n+++ b/etc/motd\n@@ -1 +1 @@\n-old\n+new\n';

export const samplePlan = (changes: Partial<DevicePlan> = {}): DevicePlan => ({
  device_uuid: uuid,
  device_name: 'edge-1',
  profile: 'debian',
  bundles: [{ name: 'branch', revision: 4 }],
  content: 'ab'.repeat(32),
  synced_content: null,
  drift_status: 'IN_SYNC',
  pulled_at: at,
  files: [
    { path: '/etc/motd', unit: 'files', change: 'change', diff: sampleDiff },
    { path: '/etc/same', unit: 'files', change: 'none', diff: null },
  ],
  changes: 1,
  quarantined: false,
  error: null,
  ...changes,
});

/** A device that a plan could not be made for. */
export const failedPlan = (device_name: string): DevicePlan =>
  samplePlan({
    device_name,
    files: [],
    changes: 0,
    content: null,
    error: {
      code: 'not_renderable',
      message: 'lan is not defined',
      undefined_variables: ['lan'],
      conflicts: ['base and branch both have /etc/motd'],
    },
  });

export const planOf = (...devices: DevicePlan[]) => ({
  organization: 'default',
  devices,
  changed: devices.filter(({ changes, error }) => error === null && changes > 0).length,
  unchanged: devices.filter(({ changes, error }) => error === null && changes === 0).length,
  failed: devices.filter(({ error }) => error !== null).length,
});

export const sampleStatus = (
  changes: Partial<z.output<typeof SyncStatus>> = {},
): z.output<typeof SyncStatus> => ({
  device_uuid: uuid,
  device_name: 'edge-1',
  organization: 'default',
  drift_status: 'IN_SYNC',
  drift_checked_at: at,
  synced_at: at,
  synced_hash: 'ab'.repeat(32),
  current_hash: 'ab'.repeat(32),
  in_sync: true,
  generation: 3,
  units: [{ unit: 'nftables', status: 'in_sync', message: '' }],
  quarantined: [],
  error: null,
  ...changes,
});

export const sampleSyncResult = (changes: Partial<SyncResult> = {}): SyncResult => ({
  outcome: 'applied',
  generation: 3,
  content: 'ab'.repeat(32),
  journal: 'CONFIRMED',
  changes: [{ path: '/etc/motd', unit: 'files', change: 'change' }],
  changes_total: 1,
  steps: [
    { step: 'admit', ok: true, duration_ms: 3, message: '', commands: [] },
    {
      step: 'validate',
      ok: true,
      duration_ms: 1200,
      message: 'all checks hold',
      commands: [
        { unit: 'nftables', argv: ['nft', '-c'], exit_code: 0, duration_ms: 9, output: '', ok: true },
      ],
    },
  ],
  probes: [{ at: 1, ok: true, phase: 'done', duration_ms: 12 }],
  units: {},
  on_disk: 'new',
  ...changes,
});

export const sampleSnapshot = (changes: Partial<Snapshot> = {}): Snapshot => ({
  device_uuid: uuid,
  device_name: 'edge-1',
  version: 3,
  reason: 'changed',
  ruleset: 'debian-1',
  profile: 'debian',
  view_sha256: 'ab'.repeat(32),
  bytes: 2048,
  has_raw: true,
  units: [{ unit: 'nftables', status: 'in_sync', files: 1, bytes: 2048 }],
  first_seen_at: at,
  last_seen_at: at,
  task: 'aB3dE6gH',
  ...changes,
});

const fileOf = (path: string, text: string | null): z.output<typeof SnapshotView>['files'][number] => ({
  unit: path.includes('nftables') ? 'nftables' : 'files',
  path,
  mode: '0644',
  owner: 'root',
  group: 'root',
  text,
  withheld: text === null ? 'binary' : null,
});

export const sampleView = (): z.output<typeof SnapshotView> => ({
  ...sampleSnapshot(),
  files: [fileOf('/etc/nftables.conf', 'flush ruleset'), fileOf('/etc/logo', null)],
  running: [{ unit: 'nftables', text: 'table inet filter\n' }],
});

export const sampleSnapshotDiff = (): z.output<typeof SnapshotDiff> => ({
  device_name: 'edge-1',
  from: 2,
  to: 3,
  files: [
    { unit: 'files', path: '/etc/motd', change: 'change', diff: sampleDiff, note: null },
    { unit: 'files', path: '/etc/huge', change: 'change', diff: null, note: 'replaced, 90000 lines' },
  ],
});
