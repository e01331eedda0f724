import { z } from 'zod';
import {
  ChangeTaskSchedule,
  CreateTaskSchedule,
  Execution,
  ExecutionList,
  TaskSchedule,
  TaskScheduleList,
  ToggleTask,
  WindowQuery,
} from '../../../shared/api/task-schedules-view.ts';
import { AppError, type ErrorCode } from '../../../shared/errors.ts';
import type { ScheduledKind } from '../../store/schedules.ts';
import { idempotencyOf } from '../idempotency.ts';
import { type Call, type Route, route } from '../route.ts';
import { findExecution, listExecutions } from './executions.ts';
import { showTaskSchedule } from './show-task-schedule.ts';
import { changeTask, createTask, findTask, listTasks } from './task-schedules.ts';

const root = '/api/tasks/schedules';
const one = `${root}/:task`;
const tag = 'scheduled tasks view';
export const TaskPath = z.strictObject({ task: z.string().max(100).describe('id') });
/** Shown with one task. */
export const newestExecutions = { limit: 10, offset: 0 };
/** What making or changing a task may be refused for. */
export const workErrors: ErrorCode[] = [
  'name_taken',
  'unresolved_targets',
  'task_type_not_supported',
  'invalid_parameters',
  'assistant_not_configured',
];

const list = route({
  method: 'GET',
  path: root,
  role: 'viewer',
  tag,
  summary: 'List scheduled tasks by name',
  query: WindowQuery,
  answer: TaskScheduleList,
  handle: async (call) => {
    const { items, total } = await listTasks(call);
    return { tasks: items.map((one) => showTaskSchedule(one)), total, ...call.query };
  },
});

const create = route({
  method: 'POST',
  path: root,
  role: 'operator',
  tag,
  summary: 'Make a scheduled task: a schedule with one thing to run',
  body: CreateTaskSchedule,
  answer: TaskSchedule,
  status: 201,
  errors: workErrors,
  handle: async (call) => showTaskSchedule(await createTask(call, call.body)),
});

const describe = route({
  method: 'GET',
  path: one,
  role: 'viewer',
  tag,
  summary: 'Describe one scheduled task, with its newest executions',
  params: TaskPath,
  answer: TaskSchedule,
  handle: async (call) => {
    const task = await findTask(call, call.params.task);
    const { items } = await listExecutions(call, task.schedule.id, newestExecutions);
    return showTaskSchedule(task, items);
  },
});

const change = route({
  method: 'PUT',
  path: one,
  role: 'operator',
  tag,
  summary: 'Change a scheduled task; what is absent stays, parameters are replaced as a whole',
  params: TaskPath,
  body: ChangeTaskSchedule,
  answer: TaskSchedule,
  errors: workErrors,
  handle: async (call) => {
    const task = await findTask(call, call.params.task);
    return showTaskSchedule(await changeTask(call, task, call.body));
  },
});

const toggle = route({
  method: 'POST',
  path: `${one}/toggle`,
  role: 'operator',
  tag,
  summary: 'Let a scheduled task run by itself, or not: the value that is wished, not a flip',
  params: TaskPath,
  body: ToggleTask,
  answer: TaskSchedule,
  handle: async (call) => {
    const task = await findTask(call, call.params.task);
    return showTaskSchedule(await changeTask(call, task, call.body));
  },
});

/** What both kinds of scheduled tasks have: they can be deleted, run, and looked back on. */
export const commonRoutes = (path: string, kind?: ScheduledKind): Route[] => [
  removeRoute(path, kind),
  runRoute(path, kind),
  executionsRoute(path, kind),
];

const removeRoute = (path: string, kind?: ScheduledKind) =>
  route({
    method: 'DELETE',
    path,
    role: 'operator',
    tag,
    summary: 'Delete a scheduled task; its executions stay as runs',
    params: TaskPath,
    handle: async (call) => {
      const { schedule } = await findTask(call, call.params.task, kind);
      await call.parts.core.schedules.remove(call.actor, schedule.id);
    },
  });

const runRoute = (path: string, kind?: ScheduledKind) =>
  route({
    method: 'POST',
    path: `${path}/run`,
    role: 'operator',
    tag,
    summary: 'Run a scheduled task now, whether it is enabled or not',
    params: TaskPath,
    body: z.strictObject({}),
    answer: Execution,
    status: 202,
    errors: [
      'conflict',
      'unresolved_targets',
      'task_type_not_supported',
      'too_few_recipients',
      'idempotency_mismatch',
    ],
    handle: (call) => runTask(call, kind),
  });

async function runTask(
  call: Call<z.output<typeof TaskPath>>,
  kind: ScheduledKind | undefined,
): Promise<Execution> {
  const { parts, actor, principal, params } = call;
  const { schedule } = await findTask(call, params.task, kind);
  const { runs } = await parts.core.schedules.runNow(
    actor,
    principal.organization,
    schedule.id,
    idempotencyOf(call),
  );
  const made = runs.map(({ run }) => run).find((run) => run !== null);
  if (made === undefined) {
    throw new AppError('conflict', `Task ${schedule.name} was not run: ${runs[0]?.error ?? 'nothing to do'}`);
  }
  const { results: _, ...execution } = await findExecution(call, made);
  return execution;
}

const executionsRoute = (path: string, kind?: ScheduledKind) =>
  route({
    method: 'GET',
    path: `${path}/executions`,
    role: 'viewer',
    tag,
    summary: 'List executions of a scheduled task, newest first',
    params: TaskPath,
    query: WindowQuery,
    answer: ExecutionList,
    handle: async (call) => {
      const { schedule } = await findTask(call, call.params.task, kind);
      const { items, total } = await listExecutions(call, schedule.id, call.query);
      return { executions: items, total, ...call.query };
    },
  });

export const taskScheduleRoutes: Route[] = [list, create, describe, change, toggle, ...commonRoutes(one)];
