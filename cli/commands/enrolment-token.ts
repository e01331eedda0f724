import { pageOption, perPageOption } from '../arguments/paging-options.ts';
import { enrolmentTokenView } from '../views/access.ts';
import { addEnrolmentTokenCreate } from './enrolment-token/create.ts';
import type { GroupParts } from './groups.ts';

export function addEnrolmentTokenCommands({ command, open }: GroupParts): void {
  addEnrolmentTokenCreate(command, open);

  command
    .command('list')
    .description('List enrolment tokens')
    .addOption(pageOption())
    .addOption(perPageOption('tokens'))
    .action(async ({ page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.access.enrolmentTokens({ page, per_page: perPage }), enrolmentTokenView);
    });

  command
    .command('revoke')
    .description('Revoke an enrolment token; devices that used it stay')
    .argument('<name>', 'name of the token')
    .action(async (name) => {
      const { client, output } = await open();
      await client.access.revokeEnrolmentToken(name);
      if (output.isJson) output.json({ revoked: name });
      else output.say(`Revoked ${name}`);
    });
}
