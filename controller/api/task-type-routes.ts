import { type TaskTypeInfo, TaskTypeList, TaskTypeQuery } from '../../shared/api/task-types.ts';
import { type PluginManifest, taskTypeOf } from '../../shared/plugin.ts';
import { pluginsOf } from '../content/plugins.ts';
import { jsonSchemaOf } from './json-schema.ts';
import { contractOf } from '../../shared/task-types/contracts.ts';
import { type TaskType, taskTypeNames, traitsOf } from '../../shared/task-types/task-type.ts';
import { type Route, route } from './route.ts';

const list = route({
  method: 'GET',
  path: '/api/v1/task-types',
  role: 'viewer',
  tag: 'task types',
  summary:
    'What can be run: traits of every task type, built in or of a plugin, and the JSON schema of its parameters',
  query: TaskTypeQuery,
  answer: TaskTypeList,
  handle: async ({ parts, principal }) => {
    const plugins = await pluginsOf(parts.store.releases, principal.organization.id);
    return { items: [...taskTypeNames.map(showBuiltIn), ...[...plugins.values()].flatMap(showTypesOf)] };
  },
});

export const taskTypeRoutes: Route[] = [list];

function showBuiltIn(name: TaskType): TaskTypeInfo {
  const contract = contractOf(name);
  return {
    ...showTraits(name),
    supported: contract !== undefined,
    summary: contract?.summary ?? null,
    plugin: null,
    plugin_version: null,
    parameters: contract === undefined ? null : jsonSchemaOf(contract.parameters, 'input'),
    result: contract === undefined ? null : jsonSchemaOf(contract.result, 'output'),
  };
}

/** With the schemas as the plugin's manifest has them. */
const showTypesOf = ({ name: plugin, version, task_types: types }: PluginManifest): TaskTypeInfo[] =>
  Object.entries(types).map(([type, { summary, parameters, result, timeout_seconds, idempotent }]) => ({
    ...showTraits(taskTypeOf(plugin, type)),
    ...{ timeout_seconds, rerun: idempotent, supported: true, summary },
    ...{ plugin, plugin_version: version, parameters, result: result ?? null },
  }));

function showTraits(name: TaskType) {
  const traits = traitsOf(name);
  return {
    name,
    lane: traits.lane,
    expires_in_seconds: traits.expiresInMs / 1000,
    timeout_seconds: traits.timeoutMs / 1000,
    can_stop: traits.canStop,
    rerun: traits.rerun,
    needs_idle: traits.needsIdle,
    disruptive: traits.disruptive,
  };
}
