import type { TaskTypeInfo } from '../../../shared/api/task-types.ts';
import type { TaskType } from '../../../shared/task-types/task-type.ts';
import { CliError } from '../../cli-error.ts';
import type { Client } from '../../client/client.ts';

export async function findTaskType({ taskTypes }: Client, name: TaskType): Promise<TaskTypeInfo> {
  const { items } = await taskTypes.list();
  const found = items.find((one) => one.name === name);
  if (found) return found;
  throw new CliError('notFound', `There is no task type ${name} in this organization`, {
    code: 'not_found',
    hint: 'What there is: muster task-type list. A plugin is added with muster release add FILE',
  });
}
