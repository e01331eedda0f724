import type { z } from 'zod';
import type {
  Firing,
  Preview,
  RunScheduleAnswer,
  Schedule,
  ScheduledTask,
} from '../../shared/api/schedules.ts';
import type { View } from '../output/view.ts';

const onOff = (enabled: boolean): string => (enabled ? 'enabled' : 'disabled');

export const scheduleView: View<Schedule> = {
  noun: 'schedules',
  key: ({ name }) => name,
  columns: [
    { head: 'NAME', value: ({ name }) => name },
    { head: 'STATE', value: ({ enabled }) => onOff(enabled) },
    { head: 'CRON', value: ({ schedule }) => schedule },
    { head: 'TIMEZONE', value: ({ timezone }) => timezone },
    { head: 'NEXT', value: ({ next_run_at }, paint) => paint.time(next_run_at) },
    { head: 'LAST', value: ({ last_run_at }, paint) => paint.time(last_run_at) },
  ],
  fields: (schedule, paint) => [
    ['Name', schedule.name],
    ['Description', schedule.description],
    ['State', onOff(schedule.enabled)],
    ['Cron', schedule.schedule],
    ['Timezone', schedule.timezone],
    ['Next run', paint.time(schedule.next_run_at)],
    ['Last run', paint.time(schedule.last_run_at)],
    ['Last fired', paint.time(schedule.last_fired_at)],
    ['Overlap', schedule.overlap],
    [
      'Retries',
      schedule.max_retries === 0
        ? ''
        : `${schedule.max_retries}, ${schedule.retry_delay_seconds} s after the failure`,
    ],
    ['Organization', schedule.organization_name],
    ['Created by', schedule.created_by],
    ['Created', paint.time(schedule.created_at)],
    ['Updated', paint.time(schedule.updated_at)],
    ...(schedule.scheduled_tasks ?? []).map((task): [string, string] => [
      'Runs',
      `${task.code} ${taskText(task)}${task.enabled ? '' : ' (disabled)'}`,
    ]),
  ],
};

export const scheduledTaskView: View<ScheduledTask> = {
  noun: 'scheduled tasks',
  key: ({ code }) => code,
  columns: [
    { head: 'CODE', value: ({ code }) => code },
    { head: 'SCHEDULE', value: ({ schedule_name }) => schedule_name },
    { head: 'STATE', value: ({ enabled }) => onOff(enabled) },
    { head: 'RUNS', value: taskText },
    { head: 'LAST FIRED', value: ({ last_fired_at }, paint) => paint.time(last_fired_at) },
  ],
  fields: (task, paint) => [
    ['Code', task.code],
    ['Schedule', task.schedule_name],
    ['State', onOff(task.enabled)],
    ['Runs', task.kind === 'RUN' ? String(task.request['type']) : task.kind],
    ['Request', JSON.stringify(task.request)],
    ['Last fired', paint.time(task.last_fired_at)],
    ['Created by', task.created_by],
    ['Created', paint.time(task.created_at)],
    ['Updated', paint.time(task.updated_at)],
  ],
};

export const firingView: View<z.output<typeof Firing>> = {
  noun: 'firings',
  key: ({ run, scheduled_task }) => run ?? scheduled_task,
  columns: [
    { head: 'DUE', value: ({ at }, paint) => paint.time(at) },
    { head: 'TASK', value: ({ scheduled_task }) => scheduled_task },
    { head: 'TRIGGER', value: ({ trigger }) => trigger },
    { head: 'OUTCOME', value: ({ outcome }) => outcome },
    { head: 'ZONE', value: ({ zone }) => zone },
    { head: 'RUN OR REASON', value: ({ run, reason }) => run ?? reason },
  ],
  fields: (firing, paint) => [
    ['Due', paint.time(firing.at)],
    ['Scheduled task', firing.scheduled_task],
    ['Trigger', firing.trigger],
    ['Outcome', firing.outcome],
    ['Zone', firing.zone],
    ['Run', firing.run],
    ['Reason', firing.reason],
    ['Handled', paint.time(firing.handled_at)],
  ],
};

export const previewView: View<Preview['firings'][number]> = {
  noun: 'firings',
  key: ({ at }) => at,
  columns: [
    { head: 'LOCAL TIME', value: ({ local }) => local },
    { head: 'ZONE', value: ({ zone }) => zone },
    { head: 'TIME', value: ({ at }, paint) => paint.time(at) },
  ],
  fields: ({ at, local, zone }, paint) => [
    ['Time', paint.time(at)],
    ['Local time', local],
    ['Zone', zone],
  ],
};

export const startedRunView: View<RunScheduleAnswer['runs'][number]> = {
  noun: 'runs',
  key: ({ run, scheduled_task }) => run ?? scheduled_task,
  columns: [
    { head: 'SCHEDULED TASK', value: ({ scheduled_task }) => scheduled_task },
    { head: 'RUN', value: ({ run }) => run },
    { head: 'TASKS', value: ({ total }) => total },
    { head: 'ERROR', value: ({ error }) => error },
  ],
  fields: ({ scheduled_task, run, total, error }) => [
    ['Scheduled task', scheduled_task],
    ['Run', run],
    ['Tasks', total],
    ['Error', error],
  ],
};

/** `PING on fw-1, fw-2`. */
function taskText({ kind, request }: ScheduledTask): string {
  if (kind === 'AGENT_TASK') return `${kind} ${String(request['prompt'])}`.slice(0, 60);
  const targets = (request['targets'] ?? {}) as Record<string, unknown>;
  const devices = [
    targets['all'] === true ? 'all devices' : '',
    ...(Array.isArray(targets['devices']) ? targets['devices'].slice(0, 5).map(String) : []),
    ...Object.entries((targets['labels'] ?? {}) as Record<string, unknown>).map(
      ([key, value]) => `${key}=${String(value)}`,
    ),
    ...(Array.isArray(targets['ous']) ? targets['ous'].map((ou) => `ou ${String(ou)}`) : []),
  ].filter((text) => text !== '');
  return `${kind === 'RUN' ? String(request['type']) : kind} on ${devices.join(', ')}`;
}
