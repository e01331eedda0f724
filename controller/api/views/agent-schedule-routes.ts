import {
  AgentSchedule,
  AgentScheduleList,
  ChangeAgentSchedule,
  CreateAgentSchedule,
  ToggleTask,
  WindowQuery,
} from '../../../shared/api/task-schedules-view.ts';
import { type Route, route } from '../route.ts';
import { listExecutions } from './executions.ts';
import { showAgentSchedule } from './show-task-schedule.ts';
import { commonRoutes, newestExecutions, TaskPath, workErrors } from './task-schedule-routes.ts';
import { changeTask, createTask, findTask, listTasks } from './task-schedules.ts';

const root = '/api/tasks/agent-schedules';
const one = `${root}/:task`;
const tag = 'scheduled tasks view';
const kind = 'AGENT_TASK';

const list = route({
  method: 'GET',
  path: root,
  role: 'viewer',
  tag,
  summary: 'List scheduled agent tasks by name',
  query: WindowQuery,
  answer: AgentScheduleList,
  handle: async (call) => {
    const { items, total } = await listTasks(call, kind);
    return { tasks: items.map((one) => showAgentSchedule(one)), total, ...call.query };
  },
});

const create = route({
  method: 'POST',
  path: root,
  role: 'operator',
  tag,
  summary: 'Make a scheduled agent task from its prompt',
  body: CreateAgentSchedule,
  answer: AgentSchedule,
  status: 201,
  errors: workErrors,
  handle: async (call) => {
    const { prompt, allow_task_types, max_steps, max_tokens, ...wish } = call.body;
    const parameters = given({ prompt, allow_task_types, max_steps, max_tokens });
    return showAgentSchedule(await createTask(call, { ...wish, task_type: 'agent_task', parameters }));
  },
});

const describe = route({
  method: 'GET',
  path: one,
  role: 'viewer',
  tag,
  summary: 'Describe one scheduled agent task, with its newest executions',
  params: TaskPath,
  answer: AgentSchedule,
  handle: async (call) => {
    const task = await findTask(call, call.params.task, kind);
    const { items } = await listExecutions(call, task.schedule.id, newestExecutions);
    return showAgentSchedule(task, items);
  },
});

const change = route({
  method: 'PUT',
  path: one,
  role: 'operator',
  tag,
  summary: 'Change a scheduled agent task; what is absent stays',
  params: TaskPath,
  body: ChangeAgentSchedule,
  answer: AgentSchedule,
  errors: workErrors,
  handle: async (call) => {
    const task = await findTask(call, call.params.task, kind);
    const { prompt, allow_task_types, max_steps, max_tokens, ...wish } = call.body;
    const changes = given({ prompt, allow_task_types, max_steps, max_tokens });
    const before = showAgentSchedule(task);
    const parameters = {
      prompt: before.prompt,
      allow_task_types: before.allow_task_types,
      max_steps: before.max_steps,
      max_tokens: before.max_tokens,
      ...changes,
    };
    const isChanged = Object.keys(changes).length > 0;
    return showAgentSchedule(await changeTask(call, task, { ...wish, ...(isChanged && { parameters }) }));
  },
});

const toggle = route({
  method: 'POST',
  path: `${one}/toggle`,
  role: 'operator',
  tag,
  summary: 'Let a scheduled agent task run by itself, or not: the value that is wished, not a flip',
  params: TaskPath,
  body: ToggleTask,
  answer: AgentSchedule,
  handle: async (call) => {
    const task = await findTask(call, call.params.task, kind);
    return showAgentSchedule(await changeTask(call, task, call.body));
  },
});

const given = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

export const agentScheduleRoutes: Route[] = [
  list,
  create,
  describe,
  change,
  toggle,
  ...commonRoutes(one, kind),
];
