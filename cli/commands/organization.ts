import { given } from '../arguments/given.ts';
import { pageOption, perPageOption } from '../arguments/paging-options.ts';
import { confirmLasting } from '../prompt.ts';
import { organizationView } from '../views/organization.ts';
import type { GroupParts } from './groups.ts';

const name = ['<name>', 'name of the organization'] as const;

export function addOrganizationCommands(parts: GroupParts): void {
  addList(parts);
  addDescribe(parts);
  addCreate(parts);
  addRename(parts);
  addDelete(parts);
}

function addList({ command, open }: GroupParts): void {
  command
    .command('list')
    .description('List the organizations you are in, and as what')
    .addOption(pageOption())
    .addOption(perPageOption('organizations'))
    .action(async ({ page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.organizations.list({ page, per_page: perPage }), organizationView);
    });
}

function addDescribe({ command, open }: GroupParts): void {
  command
    .command('describe')
    .description('Describe one organization')
    .argument(...name)
    .action(async (organization) => {
      const { client, output } = await open();
      output.one(await client.organizations.describe(organization), organizationView);
    });
}

function addCreate({ command, open }: GroupParts): void {
  command
    .command('create')
    .description('Make an organization, and be its first admin; for admins of default')
    .argument(...name)
    .option('--display-name <text>', 'how it is called (default: as its name)')
    .action(async (organization, { displayName }) => {
      const { client, output } = await open();
      const body = { name: organization, ...given({ display_name: displayName }) };
      output.one(await client.organizations.create(body), organizationView);
      if (!output.isJson)
        output.say(`Act in it with --org ${organization}, in a session (muster auth login)`);
    });
}

function addRename({ command, open }: GroupParts): void {
  command
    .command('rename')
    .description('Rename an organization; tokens and profiles that name it need the new name')
    .argument(...name)
    .argument('<new-name>', 'the new name, or the same with --display-name')
    .option('--display-name <text>', 'how it is called')
    .action(async (organization, newName, { displayName }) => {
      const { client, output } = await open();
      const body = { name: newName, ...given({ display_name: displayName }) };
      output.one(await client.organizations.change(organization, body), organizationView);
    });
}

function addDelete({ command, open, terminal }: GroupParts): void {
  command
    .command('delete')
    .description('Delete an organization without devices, with its accounts, tokens and schedules')
    .argument(...name)
    .option('-y, --yes', 'do not ask')
    .action(async (organization, { yes = false }) => {
      const { client, output } = await open();
      const question = `Delete ${organization} with its accounts, tokens and schedules?`;
      await confirmLasting(terminal, { yes, action: 'delete', question });
      await client.organizations.remove(organization);
      if (output.isJson) output.json({ deleted: organization });
      else output.say(`Deleted ${organization}`);
    });
}
