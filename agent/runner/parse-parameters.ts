import { TaskError } from '../../shared/errors.ts';
import type { TaskContract } from '../../shared/task-types/task-type.ts';

/** Throws `TaskError('bad_parameters')` that names the first wrong field. */
export function parseParameters({ name, parameters: schema }: TaskContract, value: unknown): unknown {
  const outcome = schema.safeParse(value);
  if (outcome.success) return outcome.data;
  const [issue] = outcome.error.issues;
  const where = issue?.path.map(String).join('.') || name;
  throw new TaskError('bad_parameters', `${where}: ${issue?.message ?? 'not valid'}`);
}
