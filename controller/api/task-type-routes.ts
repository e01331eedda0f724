import { TaskTypeList } from '../../shared/api/task-types.ts';
import { jsonSchemaOf } from './json-schema.ts';
import { contractOf } from '../../shared/task-types/contracts.ts';
import { type TaskType, taskTypeNames, traitsOf } from '../../shared/task-types/task-type.ts';
import { type Route, route } from './route.ts';

const list = route({
  method: 'GET',
  path: '/api/v1/task-types',
  role: 'viewer',
  tag: 'task types',
  summary: 'What can be run: traits of every task type and the JSON schema of its parameters',
  answer: TaskTypeList,
  handle: async () => ({ items: taskTypeNames.map(showTaskType) }),
});

export const taskTypeRoutes: Route[] = [list];

function showTaskType(name: TaskType) {
  const traits = traitsOf(name);
  const contract = contractOf(name);
  return {
    name,
    supported: contract !== undefined,
    summary: contract?.summary ?? null,
    lane: traits.lane,
    expires_in_seconds: traits.expiresInMs / 1000,
    timeout_seconds: traits.timeoutMs / 1000,
    can_stop: traits.canStop,
    rerun: traits.rerun,
    needs_idle: traits.needsIdle,
    disruptive: traits.disruptive,
    parameters: contract === undefined ? null : jsonSchemaOf(contract.parameters, 'input'),
    result: contract === undefined ? null : jsonSchemaOf(contract.result, 'output'),
  };
}
