import type { Run } from '../../shared/api/runs.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { RunRow } from '../store/runs.ts';
import { runStatus } from '../tasks/runs.ts';
import { shownOrNull } from './show-time.ts';

/** A run as the API shows it; `notRun` are its tasks that never ran. */
export const showRun = (row: RunRow, notRun: { deviceName: string; reason: string }[] = []): Run => ({
  id: row.id,
  organization: row.organizationName,
  type: row.type,
  status: runStatus(row),
  trigger: row.trigger,
  schedule: row.schedule?.name ?? null,
  scheduled_task: row.schedule?.task ?? null,
  retry_of: row.retryOf,
  max_retries: row.retries?.max ?? 0,
  retry_delay_seconds: (row.retries?.delayMs ?? 0) / 1000,
  payload: row.parameters,
  rollout: row.rollout,
  total: row.total,
  counts: row.counts,
  skipped: [...row.skipped, ...notRun].map(({ deviceName, reason }) => ({ device_name: deviceName, reason })),
  stopped_reason: row.stoppedReason,
  created_by: row.createdBy,
  created_at: rfc3339(row.createdAt),
  scheduled_at: shownOrNull(row.scheduledAt),
  completed_at: shownOrNull(row.completedAt),
});
