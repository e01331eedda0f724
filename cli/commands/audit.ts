import { Option } from '@commander-js/extra-typings';
import { given } from '../arguments/given.ts';
import { pageOption, perPageOption } from '../arguments/paging-options.ts';
import { pastTime, pastTimeHelp } from '../arguments/past-time.ts';
import { auditView } from '../views/access.ts';
import type { GroupParts } from './groups.ts';

export function addAudit({ command, open }: GroupParts): void {
  command
    .option('--actor <name>', 'only what this person, device or the controller did')
    .option('--action <action>', 'only this action, such as device.approve')
    .option('--target <name>', 'only what was done to this')
    .option('--search <text>', 'only with this text in any field')
    .option('--since <time>', pastTimeHelp)
    .option('--until <time>', 'as --since')
    .addOption(new Option('--created-after <time>', 'as --since').hideHelp())
    .addOption(new Option('--created-before <time>', 'as --until').hideHelp())
    .addOption(pageOption())
    .addOption(perPageOption('entries'))
    .action(async (options) => {
      const environment = await open();
      const { client, output } = environment;
      const page = await client.access.audit({
        page: options.page,
        per_page: options.perPage,
        ...given({
          actor: options.actor,
          action: options.action,
          target: options.target,
          search: options.search,
          created_after: pastTime(options.since ?? options.createdAfter, environment),
          created_before: pastTime(options.until ?? options.createdBefore, environment),
        }),
      });
      output.page(page, auditView);
    });
}
