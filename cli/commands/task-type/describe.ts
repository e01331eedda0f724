import type { Command } from '@commander-js/extra-typings';
import { taskTypeNames } from '../../../shared/task-types/task-type.ts';
import { typeName } from '../../arguments/task-type-name.ts';
import type { Open } from '../../environment.ts';
import { parametersOf, parameterView, taskTypeView } from '../../views/task-type.ts';
import { findTaskType } from './find.ts';

export function addTaskTypeDescribe(group: Command, open: Open): void {
  group
    .command('describe')
    .description('Show everything about one task type, and its parameters; -f json shows the schemas')
    .argument('<type>', 'such as PING, or NETDIAG.TRACEROUTE of a plugin', typeName(taskTypeNames))
    .action(async (name) => {
      const { client, output } = await open();
      const type = await findTaskType(client, name);
      output.one(type, taskTypeView);
      if (output.isJson || output.quiet) return;
      output.data('\n');
      const parameters = parametersOf(type);
      if (parameters) output.list(parameters, parameterView);
      else output.data(`Parameters: ${JSON.stringify(type.parameters)}\n`);
    });
}
