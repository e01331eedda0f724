import type { Command } from '@commander-js/extra-typings';
import { runTypeNames } from '../../../shared/run-type.ts';
import { oneOf } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import { typeName } from '../../arguments/task-type-name.ts';
import { pastTime, pastTimeHelp } from '../../arguments/past-time.ts';
import type { Open } from '../../environment.ts';
import { runView } from '../../views/run.ts';

const statuses = ['IN_PROGRESS', 'COMPLETED', 'FAILED', 'STOPPED', 'CANCELLED'] as const;
const triggers = ['manual', 'at', 'schedule', 'retry', 'api'] as const;

export function addRunList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List runs, newest first')
    .option('--type <type>', `one of ${runTypeNames.join(', ')}, or PLUGIN.TYPE`, typeName(runTypeNames))
    .option('--status <status>', `one of ${statuses.join(', ')}`, oneOf(statuses))
    .option('--trigger <trigger>', `one of ${triggers.join(', ')}`, oneOf(triggers))
    .option('--schedule <name>', 'only runs of this schedule')
    .option('--created-after <time>', pastTimeHelp)
    .option('--created-before <time>', 'as --created-after')
    .addOption(pageOption())
    .addOption(perPageOption('runs'))
    .action(async (options) => {
      const environment = await open();
      const { client, output } = environment;
      const { type, status, trigger, schedule, page, perPage } = options;
      const query = given({
        type,
        status,
        trigger,
        schedule,
        created_after: pastTime(options.createdAfter, environment),
        created_before: pastTime(options.createdBefore, environment),
      });
      output.page(await client.runs.list({ page, per_page: perPage, ...query }), runView);
    });
}
