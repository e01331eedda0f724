import { z } from 'zod';
import { page, pagingOf, readTool, rows, time } from './read-tool.ts';

const listSchedules = readTool({
  name: 'list_schedules',
  description: 'The schedules by name: when each fires, and what it runs.',
  parameters: z.strictObject({ ...page }),
  read: async ({ store }, organization, args) => {
    const found = await store.schedules.list(organization.id, pagingOf(args));
    const tasks = Map.groupBy(
      await store.schedules.tasksOf(found.items.map(({ id }) => id)),
      ({ scheduleId }) => scheduleId,
    );
    return rows(found, args, (row) => ({
      name: row.name,
      description: row.description,
      enabled: row.enabled,
      cron: row.cron,
      timezone: row.timezone,
      last_run_at: time(row.lastRunAt),
      next_run_at: time(row.nextRunAt),
      runs: (tasks.get(row.id) ?? []).map(({ kind, request, enabled }) => ({
        kind,
        enabled,
        request: JSON.parse(request) as unknown,
      })),
    }));
  },
});

const scheduleFirings = readTool({
  name: 'list_schedule_firings',
  description: 'What became of the times of one schedule, newest first: the run, or why it was skipped.',
  parameters: z.strictObject({ schedule: z.string().max(100).describe('name'), ...page }),
  read: async ({ store }, organization, args) => {
    const schedule = await store.schedules.get(organization.id, args.schedule);
    if (schedule === undefined) return { error: `There is no schedule ${args.schedule}` };
    return rows(await store.schedules.firings(schedule.id, pagingOf(args)), args, (row) => ({
      at: time(row.fireAt),
      outcome: row.outcome,
      reason: row.reason,
      run: row.runId,
    }));
  },
});

export const scheduleTools = [listSchedules, scheduleFirings];
