import { Option } from '@commander-js/extra-typings';
import { closest } from '../../shared/closest.ts';
import { given } from '../arguments/given.ts';
import { pageOption, perPageOption } from '../arguments/paging-options.ts';
import { pastTime, pastTimeHelp } from '../arguments/past-time.ts';
import type { Output } from '../output/output.ts';
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
      if (page.total === 0 && options.action !== undefined) await tellUnknown(options.action, output);
    });
}

/** A misspelt action finds nothing, as one that never happened does. A newer controller may know more of them: it is a hint only. */
async function tellUnknown(action: string, output: Output): Promise<void> {
  const { auditActions, auditedEvents } = await import('../../shared/api/audit-actions.ts');
  const known: string[] = [...auditActions, ...auditedEvents];
  if (known.includes(action)) return;
  const near =
    closest(action, known) ?? known.filter((name) => name.includes(action.toLowerCase())).join(', ');
  output.warn(
    near === ''
      ? `no action ${action} is known: they are named like device.approve or task.failed`
      : `no action ${action} is known. Did you mean ${near}?`,
  );
}
