import { z } from 'zod';
import {
  ChangeSchedule,
  ChangeScheduledTask,
  CreateSchedule,
  CreateScheduledTask,
  FiringList,
  Preview,
  PreviewQuery,
  RunScheduleAnswer,
  Schedule,
  ScheduledTask,
  ScheduledTaskList,
  ScheduledTaskQuery,
  ScheduleList,
  SchedulePreviewQuery,
  ScheduleQuery,
} from '../../shared/api/schedules.ts';
import { AppError } from '../../shared/errors.ts';
import { idempotencyOf } from './idempotency.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Call, type Route, route } from './route.ts';
import { showFiring, showPreview, showSchedule, showScheduledTask } from './show-schedule.ts';

const organization = '/api/v1/organizations/:organization';
const tag = 'schedules';
const one = `${organization}/schedules/:schedule`;
const oneTask = `${organization}/scheduled-tasks/:code`;
const SchedulePath = OrganizationPath.extend({ schedule: z.string().max(100).describe('name or id') });
const CodePath = OrganizationPath.extend({ code: z.string().max(16) });

const list = route({
  method: 'GET',
  path: `${organization}/schedules`,
  role: 'viewer',
  tag,
  summary: 'List schedules by name',
  params: OrganizationPath,
  query: ScheduleQuery,
  answer: ScheduleList,
  handle: async ({ parts, principal, query }) =>
    listPage(await parts.store.schedules.list(principal.organization.id, pagingOf(query)), query, (row) =>
      showSchedule(row),
    ),
});

const create = route({
  method: 'POST',
  path: `${organization}/schedules`,
  role: 'operator',
  tag,
  summary: 'Make a schedule, with what it runs or for that to be added',
  params: OrganizationPath,
  body: CreateSchedule,
  answer: Schedule,
  errors: ['name_taken', 'exclusive_options', 'task_type_not_supported', 'invalid_parameters'],
  handle: async ({ parts, actor, body, reply }) => {
    const row = await parts.core.schedules.create(actor, body);
    reply.code(201);
    return showSchedule(row, await parts.store.schedules.tasksOf([row.id]));
  },
});

const previewAny = route({
  method: 'GET',
  path: `${organization}/schedules/preview`,
  role: 'viewer',
  tag,
  summary: 'The next times of an expression in a zone',
  params: OrganizationPath,
  query: PreviewQuery,
  answer: Preview,
  handle: async ({ parts, principal, query }) =>
    showPreview(await parts.core.schedules.preview(principal.organization.id, query, query.count)),
});

const describe = route({
  method: 'GET',
  path: one,
  role: 'viewer',
  tag,
  summary: 'Describe one schedule with what it runs',
  params: SchedulePath,
  answer: Schedule,
  handle: async (call) => described(call),
});

const change = (method: 'PATCH' | 'PUT') =>
  route({
    method,
    path: one,
    role: 'operator',
    tag,
    summary: 'Change a schedule; what is absent stays',
    params: SchedulePath,
    body: ChangeSchedule,
    answer: Schedule,
    errors: ['name_taken', 'exclusive_options'],
    handle: async ({ parts, actor, params, body }) => {
      const row = await parts.core.schedules.change(actor, params.schedule, body);
      return showSchedule(row, await parts.store.schedules.tasksOf([row.id]));
    },
  });

const remove = route({
  method: 'DELETE',
  path: one,
  role: 'operator',
  tag,
  summary: 'Delete a schedule with what it runs; runs that it made stay',
  params: SchedulePath,
  handle: ({ parts, actor, params }) => parts.core.schedules.remove(actor, params.schedule),
});

const setEnabled = (verb: 'enable' | 'disable') =>
  route({
    method: 'POST',
    path: `${one}/${verb}`,
    role: 'operator',
    tag,
    summary: verb === 'enable' ? 'Let a schedule fire' : 'Keep a schedule from firing',
    params: SchedulePath,
    body: z.strictObject({}),
    answer: Schedule,
    handle: async ({ parts, actor, params }) => {
      const row = await parts.core.schedules.change(actor, params.schedule, { enabled: verb === 'enable' });
      return showSchedule(row, await parts.store.schedules.tasksOf([row.id]));
    },
  });

const runNow = route({
  method: 'POST',
  path: `${one}/run`,
  role: 'operator',
  tag,
  summary: 'Run now what a schedule runs, whether it is enabled or not',
  params: SchedulePath,
  body: z.strictObject({}),
  answer: RunScheduleAnswer,
  errors: [
    'conflict',
    'unresolved_targets',
    'task_type_not_supported',
    'not_renderable',
    'too_few_recipients',
    'idempotency_mismatch',
  ],
  handle: async (call) => {
    const { parts, actor, principal, params, reply } = call;
    const { schedules } = parts.core;
    const idempotency = idempotencyOf(call);
    const answer = await schedules.runNow(actor, principal.organization, params.schedule, idempotency);
    reply.code(202);
    return answer;
  },
});

const preview = route({
  method: 'GET',
  path: `${one}/preview`,
  role: 'viewer',
  tag,
  summary: 'The next times of a schedule, whether it is enabled or not',
  params: SchedulePath,
  query: SchedulePreviewQuery,
  answer: Preview,
  handle: async ({ parts, principal, params, query }) => {
    const { core } = parts;
    const row = await core.schedules.get(principal.organization.id, params.schedule);
    return showPreview(await core.schedules.preview(principal.organization.id, row, query.count));
  },
});

const firings = route({
  method: 'GET',
  path: `${one}/firings`,
  role: 'viewer',
  tag,
  summary: 'What became of the times of a schedule, newest first: the run, or why it was skipped',
  params: SchedulePath,
  query: ScheduleQuery,
  answer: FiringList,
  handle: async ({ parts, principal, params, query }) => {
    const { id } = await parts.core.schedules.get(principal.organization.id, params.schedule);
    return listPage(await parts.store.schedules.firings(id, pagingOf(query)), query, showFiring);
  },
});

const listTasks = route({
  method: 'GET',
  path: `${organization}/scheduled-tasks`,
  role: 'viewer',
  tag,
  summary: 'List what schedules run',
  params: OrganizationPath,
  query: ScheduledTaskQuery,
  answer: ScheduledTaskList,
  handle: async ({ parts, principal, query }) => {
    const { id } = principal.organization;
    const page = await parts.store.schedules.listTasks(id, query.schedule, pagingOf(query));
    return listPage(page, query, showScheduledTask);
  },
});

const addTask = route({
  method: 'POST',
  path: `${organization}/scheduled-tasks`,
  role: 'operator',
  tag,
  summary: 'Add something to what a schedule runs',
  params: OrganizationPath,
  body: CreateScheduledTask,
  answer: ScheduledTask,
  errors: ['not_found', 'conflict', 'task_type_not_supported', 'invalid_parameters'],
  handle: async ({ parts, actor, body, reply }) => {
    const row = await parts.core.schedules.addTask(actor, body);
    reply.code(201);
    return showScheduledTask(row);
  },
});

const describeTask = route({
  method: 'GET',
  path: oneTask,
  role: 'viewer',
  tag,
  summary: 'Describe one thing that a schedule runs',
  params: CodePath,
  answer: ScheduledTask,
  handle: async ({ parts, principal, params }) => {
    const row = await parts.store.schedules.task(principal.organization.id, params.code);
    if (row === undefined) throw new AppError('not_found', `Scheduled task ${params.code} does not exist`);
    return showScheduledTask(row);
  },
});

const changeTask = route({
  method: 'PATCH',
  path: oneTask,
  role: 'operator',
  tag,
  summary: 'Change what is run; what is absent stays',
  params: CodePath,
  body: ChangeScheduledTask,
  answer: ScheduledTask,
  errors: ['task_type_not_supported', 'invalid_parameters'],
  handle: async ({ parts, actor, params, body }) =>
    showScheduledTask(await parts.core.schedules.changeTask(actor, params.code, body)),
});

const setTaskEnabled = (verb: 'enable' | 'disable') =>
  route({
    method: 'POST',
    path: `${oneTask}/${verb}`,
    role: 'operator',
    tag,
    summary:
      verb === 'enable' ? 'Let it be run when its schedule fires' : 'Keep it from being run by its schedule',
    params: CodePath,
    body: z.strictObject({}),
    answer: ScheduledTask,
    handle: async ({ parts, actor, params }) =>
      showScheduledTask(
        await parts.core.schedules.changeTask(actor, params.code, { enabled: verb === 'enable' }),
      ),
  });

const removeTask = route({
  method: 'DELETE',
  path: oneTask,
  role: 'operator',
  tag,
  summary: 'Take something from what a schedule runs',
  params: CodePath,
  handle: ({ parts, actor, params }) => parts.core.schedules.removeTask(actor, params.code),
});

async function described({
  parts,
  principal,
  params,
}: Call<z.output<typeof SchedulePath>>): Promise<Schedule> {
  const row = await parts.core.schedules.get(principal.organization.id, params.schedule);
  return showSchedule(row, await parts.store.schedules.tasksOf([row.id]));
}

export const scheduleRoutes: Route[] = [
  list,
  create,
  previewAny,
  describe,
  change('PATCH'),
  change('PUT'),
  remove,
  setEnabled('enable'),
  setEnabled('disable'),
  runNow,
  preview,
  firings,
  listTasks,
  addTask,
  describeTask,
  changeTask,
  setTaskEnabled('enable'),
  setTaskEnabled('disable'),
  removeTask,
];
