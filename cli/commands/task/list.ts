import type { Command } from '@commander-js/extra-typings';
import { taskStateNames } from '../../../shared/task-state.ts';
import { taskTypeNames } from '../../../shared/task-types/task-type.ts';
import { flag, oneOf } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import { typeName } from '../../arguments/task-type-name.ts';
import { pastTime, pastTimeHelp } from '../../arguments/past-time.ts';
import type { Open } from '../../environment.ts';
import { taskView } from '../../views/task.ts';

export function addTaskList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List tasks of the organization')
    .option('--device <regex>', 'only devices whose name matches')
    .option('--status <status>', `one of ${taskStateNames.join(', ')}`, oneOf(taskStateNames))
    .option('--type <type>', `one of ${taskTypeNames.join(', ')}, or PLUGIN.TYPE`, typeName(taskTypeNames))
    .option('--expired [bool]', 'true: only expired tasks, false: all others', flag)
    .option('--created-after <time>', pastTimeHelp)
    .option('--created-before <time>', 'as --created-after')
    .option('--run <id>', 'only tasks of this run')
    .option('--sort-by <field:direction>', 'such as created_at:asc or device_name:asc', 'created_at:desc')
    .addOption(pageOption())
    .addOption(perPageOption('tasks'))
    .action(async (options) => {
      const environment = await open();
      const { client, output } = environment;
      const page = await client.tasks.list({
        page: options.page,
        per_page: options.perPage,
        sort_by: options.sortBy,
        ...given({
          device_name: options.device,
          status: options.status,
          type: options.type,
          expired: options.expired,
          created_after: pastTime(options.createdAfter, environment),
          created_before: pastTime(options.createdBefore, environment),
          run: options.run,
        }),
      });
      output.page(page, taskView);
    });
}
