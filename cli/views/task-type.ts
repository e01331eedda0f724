import type { TaskTypeInfo } from '../../shared/api/task-types.ts';
import { formatDuration } from '../../shared/time.ts';
import { typesOf } from '../arguments/typed-parameters.ts';
import type { View } from '../output/view.ts';

export const taskTypeView: View<TaskTypeInfo> = {
  noun: 'task types',
  key: ({ name }) => name,
  columns: [
    { head: 'NAME', value: ({ name }) => name },
    { head: 'PLUGIN', value: pluginText },
    { head: 'SUMMARY', value: ({ summary }) => summary },
  ],
  fields: (type) => [
    ['Name', type.name],
    ['Summary', type.summary],
    ['Plugin', pluginText(type)],
    ['Supported', type.supported ? '' : 'no'],
    ['Waits at most', formatDuration(type.expires_in_seconds * 1000)],
    ['Runs at most', formatDuration(type.timeout_seconds * 1000)],
    ['Can be stopped', yesNo(type.can_stop)],
    ['Runs again after a crash', yesNo(type.rerun)],
    ['Needs an idle device', yesNo(type.needs_idle)],
    ['Lane', type.lane],
  ],
};

/** One parameter, as the schema has it. */
export interface Parameter {
  name: string;
  isRequired: boolean;
  schema: Record<string, unknown>;
}

/** Undefined when the schema is more than a list of properties. */
export function parametersOf({ parameters }: TaskTypeInfo): Parameter[] | undefined {
  const { properties, required } = parameters ?? {};
  if (typeof properties !== 'object' || properties === null) return undefined;
  const needed = Array.isArray(required) ? required : [];
  return Object.entries(properties as Record<string, Record<string, unknown>>).map(([name, schema]) => ({
    name,
    isRequired: needed.includes(name),
    schema,
  }));
}

export const parameterView: View<Parameter> = {
  noun: 'parameters',
  key: ({ name }) => name,
  columns: [
    { head: 'PARAMETER', value: ({ name }) => name },
    { head: 'TYPE', value: ({ schema }) => typeText(schema) },
    { head: 'REQUIRED', value: ({ isRequired }) => (isRequired ? 'yes' : '') },
    { head: 'DEFAULT', value: ({ schema: { default: value } }) => jsonText(value) },
    {
      head: 'DESCRIPTION',
      value: ({ schema: { description } }) => (description === undefined ? '' : String(description)),
    },
  ],
  fields: ({ name, isRequired, schema }) => [
    ['Parameter', name],
    ['Type', typeText(schema)],
    ['Required', yesNo(isRequired)],
    ['Schema', JSON.stringify(schema)],
  ],
};

/** `integer 1 to 10`, `"a" or "b"`. */
function typeText(schema: Record<string, unknown>): string {
  if (Array.isArray(schema['enum'])) return schema['enum'].map((one) => JSON.stringify(one)).join(' or ');
  const type = typesOf(schema).join(' or ');
  const { minimum, maximum } = schema;
  // Whole numbers without a bound of their own have that of their type.
  const isBound = (value: unknown): value is number =>
    typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  if (isBound(minimum) && isBound(maximum)) return `${type} ${minimum} to ${maximum}`;
  if (isBound(minimum)) return `${type} from ${minimum}`;
  return isBound(maximum) ? `${type} up to ${maximum}` : type;
}

function pluginText({ plugin, plugin_version: version }: TaskTypeInfo): string {
  return plugin === null || plugin === undefined ? '' : `${plugin} ${version ?? ''}`;
}

const jsonText = (value: unknown): string => (value === undefined ? '' : JSON.stringify(value));
const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
