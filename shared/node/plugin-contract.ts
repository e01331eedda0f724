import { z } from 'zod';
import { AppError } from '../errors.ts';
import { definitionOf, type PluginManifest, taskTypeOf } from '../plugin.ts';
import { type TaskContract, taskContract } from '../task-types/task-type.ts';
import { withinTime } from './within-time.ts';

/** A pattern can take for ever, and so can schemas that refer to each other; an honest one is done within this many times over. */
const checkMs = 1000;

/** One task type of a plugin as a contract like those that are built in. Throws `bad_request` that says which schema cannot be used, and why. */
export function pluginContract(manifest: PluginManifest, type: string): TaskContract {
  const definition = definitionOf(manifest, type);
  if (definition === undefined) throw new Error(`${manifest.name} ${manifest.version} has no ${type}`);
  const { summary, parameters, result } = definition;
  const name = taskTypeOf(manifest.name, type);
  return taskContract({
    name,
    summary,
    parameters: compiled(`parameters of ${name}`, parameters),
    result: result === undefined ? z.looseObject({}) : compiled(`result of ${name}`, result),
  });
}

/** Throws `bad_request` for the first schema of the plugin that cannot be used. */
export function requireUsableSchemas(manifest: PluginManifest): void {
  for (const type of Object.keys(manifest.task_types)) pluginContract(manifest, type);
}

function compiled(what: string, schema: Record<string, unknown>): z.ZodType {
  try {
    return withinTime(checkMs, () => {
      // A registry of its own: ids of a plugin's schemas must not meet ours.
      const made = z.fromJSONSchema(schema, { registry: z.registry() });
      made.safeParse({}); // some of it is only built when it is used
      return bounded(made);
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError('bad_request', `The schema of the ${what} cannot be used: ${why}`, { cause: error });
  }
}

/** What cannot be checked is not valid. */
function bounded(schema: z.ZodType): z.ZodType {
  const { run } = schema._zod;
  schema._zod.run = (payload, context) => {
    const { value: input } = payload;
    try {
      return withinTime(checkMs, () => run(payload, context));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `cannot be checked by the schema of the plugin: ${why}`;
      return { value: input, issues: [{ code: 'custom', path: [], input, message }] };
    }
  };
  return schema;
}
