import { wholeNumber } from '../arguments/argument-parsers.ts';
import { given } from '../arguments/given.ts';
import { auditView } from '../views/access.ts';
import type { GroupParts } from './groups.ts';

export function addAudit({ command, open }: GroupParts): void {
  command
    .option('--actor <name>', 'only what this person, device or the controller did')
    .option('--action <action>', 'only this action, such as device.approve')
    .option('--target <name>', 'only what was done to this')
    .option('--created-after <time>', '30m, 2h, 7d, 2w ago, or 2024-01-15T10:30:00Z')
    .option('--created-before <time>', 'as --created-after')
    .option('--page <number>', 'page, from 1', wholeNumber(1, 1_000_000), 1)
    .option('--per-page <number>', 'entries per page, at most 100', wholeNumber(1, 100), 30)
    .action(async (options) => {
      const { client, output } = await open();
      const page = await client.access.audit({
        page: options.page,
        per_page: options.perPage,
        ...given({
          actor: options.actor,
          action: options.action,
          target: options.target,
          created_after: options.createdAfter,
          created_before: options.createdBefore,
        }),
      });
      output.page(page, auditView);
    });
}
