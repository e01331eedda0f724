import { z } from 'zod';
import { AppError } from './errors.ts';
import { definitionOf, type PluginManifest, taskTypeOf } from './plugin.ts';
import { type TaskContract, taskContract } from './task-types/task-type.ts';

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
    // A registry of its own: ids of a plugin's schemas must not meet ours.
    const made = z.fromJSONSchema(schema, { registry: z.registry() });
    made.safeParse({}); // some of it is only built when it is used
    return made;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError('bad_request', `The schema of the ${what} cannot be used: ${why}`, { cause: error });
  }
}
