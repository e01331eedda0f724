import type { Device } from '../../shared/api/devices.ts';
import type { Run } from '../../shared/api/runs.ts';
import type { Task } from '../../shared/api/tasks.ts';

export const runId = '3b1f8a52-6c0e-4c8e-9f37-5a4a1f3f0d11';

/** A PENDING PING; the test names what matters. */
export const sampleTask = (changes: Partial<Task> = {}): Task => ({
  task: 'aB3dE6gH',
  id: '7c1d8a52-6c0e-4c8e-9f37-5a4a1f3f0d12',
  type: 'PING',
  status: 'PENDING',
  device_uuid: '9d1d8a52-6c0e-4c8e-9f37-5a4a1f3f0d13',
  device_name: 'edge-1',
  organization: 'default',
  run: runId,
  payload: '{}',
  message: null,
  progress: null,
  error_code: null,
  error_message: null,
  result: null,
  attempt: 1,
  force: false,
  created_by: 'admin@example.org',
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
  scheduled_at: null,
  expires_at: '2026-01-01T00:10:00.000Z',
  started_at: null,
  timeout_at: null,
  completed_at: null,
  cancel_requested_at: null,
  waiting_for_input: false,
  question: null,
  retry_of: null,
  late_result: null,
  ...changes,
});

/** The run of the sample tasks, open. */
export const sampleRun = (changes: Partial<Run> = {}): Run => ({
  id: runId,
  organization: 'default',
  type: 'PING',
  status: 'IN_PROGRESS',
  trigger: 'manual',
  schedule: null,
  scheduled_task: null,
  retry_of: null,
  max_retries: 0,
  retry_delay_seconds: 0,
  payload: '{}',
  rollout: null,
  total: 0,
  counts: { SCHEDULED: 0, PENDING: 0, IN_PROGRESS: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0, EXPIRED: 0 },
  skipped: [],
  stopped_reason: null,
  created_by: 'ops@example.org',
  created_at: '2026-01-01T00:00:00.000Z',
  scheduled_at: null,
  completed_at: null,
  ...changes,
});

export const sampleDevice = (changes: Partial<Device> = {}): Device => ({
  uuid: '9d1d8a52-6c0e-4c8e-9f37-5a4a1f3f0d13',
  name: 'edge-1',
  status: 'ENABLED',
  organization: 'default',
  labels: { site: 'berlin' },
  organizational_units: [],
  version: '0.1.0',
  online: true,
  heartbeat: '2026-01-01T00:00:00.000Z',
  drift_status: 'NEVER_SYNCED',
  drift_checked_at: null,
  synced_at: null,
  synced_hash: null,
  task_types: ['PING'],
  facts: null,
  key_fingerprint: 'ab'.repeat(32),
  next_key_fingerprint: null,
  key_rotation: false,
  key_revoked_at: null,
  boot_id: null,
  quarantine_reason: null,
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
  ...changes,
});

/** The answer to a request that made these tasks. */
export const sampleAnswer = (...tasks: Task[]) => ({
  run: runId,
  type: tasks[0]?.type ?? 'PING',
  organization: 'default',
  scheduled_at: null,
  total: tasks.length,
  tasks: tasks.map(({ task, device_uuid, device_name, status, expires_at }) => ({
    task,
    device_uuid,
    device_name,
    status,
    expires_at,
  })),
  skipped: [],
});
