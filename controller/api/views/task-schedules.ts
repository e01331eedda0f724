import type {
  ChangeTaskSchedule,
  CreateTaskSchedule,
  RetryParameters,
  ScheduleTaskType,
  WindowQuery,
} from '../../../shared/api/task-schedules-view.ts';
import { ScheduleTaskType as TaskTypes } from '../../../shared/api/task-schedules-view.ts';
import { AppError } from '../../../shared/errors.ts';
import { taskTypeOf } from '../../../shared/plugin.ts';
import { isPluginTaskType } from '../../../shared/task-types/task-type.ts';
import { pluginsOf } from '../../content/plugins.ts';
import type { PageOf } from '../../store/access.ts';
import type { ScheduledKind, ScheduledTaskRow, ScheduleRow } from '../../store/schedules.ts';
import type { Call } from '../route.ts';
import { splitParameters, type Work, type WorkWords, wordsOf, workOf } from './scheduled-work.ts';

/** A schedule with what it runs first: one task of the view. */
export interface ViewedSchedule {
  schedule: ScheduleRow;
  task: ScheduledTaskRow;
  /** Seconds, by the task types of plugins. */
  pluginTimeouts: ReadonlyMap<string, number>;
}

/** What this view says when a request does not. */
const defaultRetries = { max_retries: 3, retry_delay_seconds: 60 };

/** Whoever makes a thing of the view may come from anywhere under it. */
type Caller = Call<unknown, unknown, unknown>;

/** Throws `not_found`, also for a schedule that runs nothing, or no such thing first. */
export async function findTask(
  { parts, principal }: Caller,
  id: string,
  kind?: ScheduledKind,
): Promise<ViewedSchedule> {
  const schedule = await parts.store.schedules.get(principal.organization.id, id);
  const [task] = schedule === undefined ? [] : await parts.store.schedules.tasksOf([schedule.id]);
  if (schedule === undefined || task === undefined || (kind !== undefined && task.kind !== kind)) {
    throw new AppError('not_found', `Task ${id} does not exist`);
  }
  return { schedule, task, pluginTimeouts: await pluginTimeouts(parts, principal.organization.id, [task]) };
}

export async function listTasks(
  { parts, principal, query }: Call<unknown, WindowQuery>,
  kind?: ScheduledKind,
): Promise<PageOf<ViewedSchedule>> {
  const { schedules } = parts.store;
  const what = { organizationId: principal.organization.id, ...(kind && { kind }) };
  const { items, total } = await schedules.listUsed(what, query);
  const first = new Map<string, ScheduledTaskRow>();
  for (const task of await schedules.tasksOf(items.map(({ id }) => id))) {
    if (!first.has(task.scheduleId)) first.set(task.scheduleId, task);
  }
  const timeouts = await pluginTimeouts(parts, what.organizationId, [...first.values()]);
  const viewed = items.flatMap((schedule) => {
    const task = first.get(schedule.id);
    return task === undefined ? [] : [{ schedule, task, pluginTimeouts: timeouts }];
  });
  return { items: viewed, total };
}

/** Nothing is looked up for what is built in. */
async function pluginTimeouts(
  { store }: Caller['parts'],
  organizationId: string,
  tasks: ScheduledTaskRow[],
): Promise<ReadonlyMap<string, number>> {
  const types = tasks.map(({ request }) => (JSON.parse(request) as { type?: string }).type ?? '');
  if (!types.some(isPluginTaskType)) return new Map();
  const plugins = await pluginsOf(store.releases, organizationId);
  return new Map(
    [...plugins.values()].flatMap(({ name, task_types: definitions }) =>
      Object.entries(definitions).map(
        ([type, one]) => [taskTypeOf(name, type), one.timeout_seconds] as const,
      ),
    ),
  );
}

/** One schedule with one scheduled task, all or nothing. */
export async function createTask(call: Caller, wish: CreateTaskSchedule): Promise<ViewedSchedule> {
  const { parts, actor } = call;
  const { parameters, retries } = splitParameters(wish.parameters, wish);
  const { timeout_seconds } = retries;
  const work = workOf(wish.task_type, parameters);
  await requireDevices(call, parameters);
  const { id } = await parts.core.schedules.create(actor, {
    ...wished(wish),
    name: wish.name,
    max_retries: retries.max_retries ?? defaultRetries.max_retries,
    retry_delay_seconds: retries.retry_delay_seconds ?? defaultRetries.retry_delay_seconds,
    scheduled_tasks: [
      { ...work, request: { ...work.request, ...(timeout_seconds !== undefined && { timeout_seconds }) } },
    ],
  });
  return findTask(call, id);
}

/** What is absent stays; parameters are replaced as a whole. All of it changes, or nothing. */
export async function changeTask(
  call: Caller,
  { schedule, task }: ViewedSchedule,
  wish: ChangeTaskSchedule,
): Promise<ViewedSchedule> {
  const { parts, actor } = call;
  const { parameters, retries } = splitParameters(wish.parameters ?? {}, wish);
  const { max_retries, retry_delay_seconds } = retries;
  const work = changedWork(task, wish, { parameters, retries });
  if (wish.parameters !== undefined) await requireDevices(call, parameters);
  await parts.core.schedules.change(
    actor,
    schedule.id,
    {
      ...wished(wish),
      ...(wish.name !== undefined && { name: wish.name }),
      ...(max_retries !== undefined && { max_retries }),
      ...(retry_delay_seconds !== undefined && { retry_delay_seconds }),
    },
    work && { ...work, code: task.code },
  );
  return findTask(call, schedule.id);
}

type Wish = Pick<ChangeTaskSchedule, 'cron_expression' | 'timezone' | 'description' | 'enabled'>;

const wished = ({ cron_expression: cron, timezone, description, enabled }: Wish) => ({
  ...(cron !== undefined && { cron }),
  ...(timezone !== undefined && { timezone }),
  ...(description !== undefined && { description }),
  ...(enabled !== undefined && { enabled }),
});

/** Undefined when what is run stays as it is. */
function changedWork(
  task: ScheduledTaskRow,
  wish: ChangeTaskSchedule,
  { parameters, retries }: { parameters: Record<string, unknown>; retries: RetryParameters },
): Work | undefined {
  const before = wordsOf(task);
  const { max_retries, retry_delay_seconds, ...stays } = JSON.parse(task.request) as Record<string, unknown>;
  const request = {
    ...stays,
    // Retries of the request itself go before those of the schedule, which is where they are kept from here on.
    ...(retries.max_retries === undefined && max_retries !== undefined && { max_retries }),
    ...(retries.retry_delay_seconds === undefined &&
      retry_delay_seconds !== undefined && { retry_delay_seconds }),
    ...(retries.timeout_seconds !== undefined && { timeout_seconds: retries.timeout_seconds }),
  };
  const taskType = wish.task_type ?? before.taskType;
  if (wish.parameters === undefined && taskType === before.taskType) {
    return JSON.stringify(request) === task.request ? undefined : { kind: task.kind, request };
  }
  const work = workOf(requireKnown(taskType), wish.parameters === undefined ? before.parameters : parameters);
  const { type: _, targets: __, payload: ___, ...kept } = request as Record<string, unknown>;
  return taskType === before.taskType
    ? { ...work, request: { ...kept, ...work.request } }
    : {
        ...work,
        request: {
          ...work.request,
          ...(retries.timeout_seconds !== undefined && { timeout_seconds: retries.timeout_seconds }),
        },
      };
}

function requireKnown(taskType: string): ScheduleTaskType {
  const known = TaskTypes.options.find((name) => name === taskType);
  if (known !== undefined) return known;
  throw new AppError(
    'task_type_not_supported',
    `What runs is ${taskType}, and its parameters cannot be changed here: use /api/v1/organizations/{organization}/scheduled-tasks, or give a task_type of ${TaskTypes.options.join(', ')}`,
  );
}

/** Devices that are not there when a task is made are refused, all of them named. */
async function requireDevices(
  { parts, principal }: Caller,
  { device_ids: ids }: Record<string, unknown>,
): Promise<void> {
  if (!Array.isArray(ids)) return;
  const wanted = [...new Set(ids.map(String))];
  const found = await parts.store.devices.getMany(wanted);
  const mine = new Set(
    found.filter((one) => one.organizationId === principal.organization.id).map(({ id }) => id),
  );
  const unresolved = wanted.filter((id) => !mine.has(id));
  if (unresolved.length === 0) return;
  const named = unresolved.slice(0, 20).join(', ');
  const more = unresolved.length > 20 ? ` and ${unresolved.length - 20} more` : '';
  throw new AppError('unresolved_targets', `No device has the id ${named}${more}`, {
    detail: { field: 'parameters.device_ids', unresolved },
  });
}

/** How often failed tasks are tried again, from wherever it is said. */
export const retriesOf = (
  { maxRetries, retryDelayMs }: ScheduleRow,
  { retries }: WorkWords,
): { max_retries: number; retry_delay_seconds: number } => ({
  max_retries: retries.max_retries ?? maxRetries,
  retry_delay_seconds: retries.retry_delay_seconds ?? retryDelayMs / 1000,
});
