import type { Firing, Preview, Schedule, ScheduledTask } from '../../shared/api/schedules.ts';
import { rfc3339, showInZone } from '../../shared/time.ts';
import type { z } from 'zod';
import type { FiringRow, ScheduledTaskRow, ScheduleRow } from '../store/schedules.ts';
import { shownOrNull } from './show-time.ts';

/** A schedule as the API shows it; what it runs only when given. */
export const showSchedule = (row: ScheduleRow, tasks?: ScheduledTaskRow[]): Schedule => ({
  id: row.id,
  organization_name: row.organizationName,
  name: row.name,
  description: row.description,
  enabled: row.enabled,
  schedule: row.cron,
  timezone: row.timezone,
  overlap: row.overlap,
  max_retries: row.maxRetries,
  retry_delay_seconds: row.retryDelayMs / 1000,
  last_fired_at: shownOrNull(row.lastFiredAt),
  last_run_at: shownOrNull(row.lastRunAt),
  next_run_at: shownOrNull(row.nextRunAt),
  created_by: row.createdBy,
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt),
  ...(tasks && { scheduled_tasks: tasks.map(showScheduledTask) }),
});

export const showScheduledTask = (row: ScheduledTaskRow): ScheduledTask => ({
  code: row.code,
  schedule_name: row.scheduleName,
  kind: row.kind,
  request: JSON.parse(row.request) as Record<string, unknown>,
  enabled: row.enabled,
  created_by: row.createdBy,
  last_fired_at: shownOrNull(row.lastFiredAt),
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt),
});

export const showFiring = (row: FiringRow): z.output<typeof Firing> => ({
  scheduled_task: row.task,
  at: rfc3339(row.fireAt),
  zone: row.zone === '' ? null : row.zone,
  trigger: row.trigger,
  outcome: row.outcome,
  reason: row.reason,
  run: row.runId,
  handled_at: rfc3339(row.at),
});

export const showPreview = ({
  firings,
  ...rest
}: {
  cron: string;
  timezone: string;
  firings: { at: number; zone: string }[];
}): Preview => ({
  ...rest,
  firings: firings.map(({ at, zone }) => ({ at: rfc3339(at), zone, local: showInZone(at, zone) })),
});
