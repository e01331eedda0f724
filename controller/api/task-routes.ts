import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import {
  CancelTask,
  RunRequest,
  Task,
  TaskList,
  TaskLogPage,
  TaskLogQuery,
  TaskQuery,
  taskSortFields,
} from '../../shared/api/tasks.ts';
import { type CreateScheduledTask, RunOrScheduledTask } from '../../shared/api/schedules.ts';
import { isFinal } from '../../shared/task-state.ts';
import type { PageOf } from '../store/access.ts';
import type { TaskRow } from '../store/tasks.ts';
import { requirePlain } from '../tasks/task-parameters.ts';
import { idempotencyOf } from './idempotency.ts';
import type { BodyTexts } from './json-body.ts';
import { listPage, pagingOf, parseSort, pastFilter } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Call, type Method, type Route, route } from './route.ts';
import { showScheduledTask } from './show-schedule.ts';
import { showLogLine, showOneTask, showTasks } from './show-task.ts';

const TaskPath = z.strictObject({ task: z.string().max(64).describe('code or id') });
const tag = 'tasks';

export const taskRoutes = (bodyTexts: BodyTexts): Route[] => [
  list,
  describe,
  logs,
  cancel('PUT'),
  cancel('POST'),
  submit(bodyTexts),
];

const list = route({
  method: 'GET',
  path: '/api/v1/tasks',
  role: 'viewer',
  tag,
  summary: 'List tasks, newest first unless asked otherwise',
  query: TaskQuery,
  answer: TaskList,
  handle: async (call) => {
    const { items, total } = await findTasks(call);
    return listPage({ items: await showTasks(call.parts, items), total }, call.query, (task) => task);
  },
});

async function findTasks({ parts, principal, query }: Call<unknown, TaskQuery>): Promise<PageOf<TaskRow>> {
  const organizationId = principal.organization.id;
  const now = parts.clock.now();
  const order = parseSort(query.sort_by, taskSortFields);
  const createdAfter = pastFilter('created_after', query.created_after, now);
  const createdBefore = pastFilter('created_before', query.created_before, now);

  const deviceIds =
    query.device_name === undefined
      ? undefined
      : await parts.core.devices.idsMatching(organizationId, query.device_name);
  if (deviceIds?.length === 0) return { items: [], total: 0 };

  const filter = {
    organizationId,
    ...order,
    ...(deviceIds && { deviceIds }),
    ...(query.status && { status: query.status }),
    ...(query.type && { type: query.type }),
    ...(query.run !== undefined && { runId: query.run }),
    ...(query.expired !== undefined && { expired: query.expired }),
    ...(createdAfter !== undefined && { createdAfter }),
    ...(createdBefore !== undefined && { createdBefore }),
  };
  return parts.store.tasks.list(filter, pagingOf(query));
}

const describe = route({
  method: 'GET',
  path: '/api/v1/tasks/:task',
  role: 'viewer',
  tag,
  summary: 'Describe one task',
  params: TaskPath,
  answer: Task,
  handle: async (call) => showOneTask(call.parts, await ownTask(call)),
});

const logs = route({
  method: 'GET',
  path: '/api/v1/tasks/:task/logs',
  role: 'viewer',
  tag,
  summary: 'Read the log of a task from a cursor on',
  params: TaskPath,
  query: TaskLogQuery,
  answer: TaskLogPage,
  handle: async (call) => {
    // The task first: once it is seen to have ended, its last line is in the store already.
    const task = await ownTask(call);
    const { after, limit } = call.query;
    const rows = await call.parts.store.logs.read(task.id, after, limit);
    return {
      items: rows.map(showLogLine),
      next: rows.at(-1)?.cursor ?? after,
      complete: isFinal(task.status) && rows.length < limit,
    };
  },
});

const cancel = (method: Method & ('PUT' | 'POST')) =>
  route({
    method,
    path: '/api/v1/tasks/:task/cancel',
    role: 'operator',
    tag,
    summary: 'Cancel a task that waits; with `request` ask the device to stop one that runs',
    params: TaskPath,
    body: CancelTask,
    answer: Task,
    errors: ['not_cancellable'],
    handle: async ({ parts, actor, params, body }) =>
      showOneTask(parts, await parts.core.cancelTask(actor, params.task, body)),
  });

const submit = (bodyTexts: BodyTexts) =>
  route({
    method: 'POST',
    path: '/api/v1/organizations/:organization/tasks',
    role: 'operator',
    tag,
    summary:
      'Run a task type on devices; all tasks are created, or none. Honours Idempotency-Key for 24 hours',
    params: OrganizationPath,
    body: RunRequest,
    answer: RunOrScheduledTask,
    errors: [
      'not_found',
      'unresolved_targets',
      'task_type_not_supported',
      'invalid_parameters',
      'exclusive_options',
      'idempotency_mismatch',
    ],
    handle: async (call) => {
      const { parts, actor, principal, body, reply } = call;
      requirePlain(body.type);
      if (body.schedule !== undefined) {
        reply.code(201);
        return showScheduledTask(
          await parts.core.schedules.addTask(actor, scheduledTaskOf(body, body.schedule)),
        );
      }
      const idempotency = idempotencyOf(call, bodyTexts);
      const { answer, replayed } = await parts.core.submit({
        actor,
        organization: principal.organization,
        request: body,
        trigger: body.scheduled_at === undefined ? 'manual' : 'at',
        ...(idempotency && { idempotency }),
      });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return answer;
    },
  });

/** A request as what a schedule runs from now on. */
function scheduledTaskOf(body: RunRequest, schedule: string): CreateScheduledTask {
  const { schedule: _, scheduled_at: at, dry_run: dryRun, ...request } = body;
  if (at !== undefined) {
    throw new AppError('exclusive_options', 'Only one of schedule and scheduled_at can be given');
  }
  if (dryRun) throw new AppError('exclusive_options', 'Only one of schedule and dry_run can be given');
  return { schedule, kind: 'RUN', request, enabled: true };
}

async function ownTask({ parts, principal, params }: Call<z.output<typeof TaskPath>>): Promise<TaskRow> {
  const task = await parts.store.tasks.get(principal.organization.id, params.task);
  if (task === undefined) throw new AppError('not_found', `Task ${params.task} does not exist`);
  return task;
}
