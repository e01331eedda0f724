import type { AccountWithPassword } from '../../shared/api/accounts.ts';
import { roles } from '../../shared/api/common.ts';
import { oneOf } from '../arguments/argument-parsers.ts';
import { given } from '../arguments/given.ts';
import { pageOption, perPageOption } from '../arguments/paging-options.ts';
import { detailedText } from '../output/detailed.ts';
import type { Output } from '../output/output.ts';
import { confirmLasting } from '../prompt.ts';
import { accountView } from '../views/account.ts';
import type { GroupParts } from './groups.ts';
import { standardInput } from './variable/standard-input.ts';

const email = ['<email>', 'e-mail of the account'] as const;

export function addUserCommands(parts: GroupParts): void {
  addList(parts);
  addAdd(parts);
  addSetRole(parts);
  addDisable(parts);
  addEnable(parts);
  addResetPassword(parts);
  addUnlink(parts);
  addRemove(parts);
}

function addList({ command, open }: GroupParts): void {
  command
    .command('list')
    .description('List who is in the organization')
    .addOption(pageOption())
    .addOption(perPageOption('accounts'))
    .action(async ({ page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.accounts.list({ page, per_page: perPage }), accountView);
    });
}

function addAdd({ command, open, terminal }: GroupParts): void {
  command
    .command('add')
    .description('Add somebody; without a password one is made and shown only now')
    .argument(...email)
    .option('--role <role>', roles.join(', '), oneOf(roles), 'viewer' as const)
    .option('--name <name>', 'how they are called')
    .option('--password-stdin', 'read a password from standard input')
    .action(async (who, { role, name, passwordStdin }) => {
      const { client, output } = await open();
      const password = passwordStdin ? await standardInput(terminal.stdin) : undefined;
      showMade(output, await client.accounts.add({ email: who, role, ...given({ name, password }) }));
    });
}

function addSetRole({ command, open }: GroupParts): void {
  command
    .command('set-role')
    .description('Change what somebody may do')
    .argument(...email)
    .argument('<role>', roles.join(', '), oneOf(roles))
    .action(async (who, role) => {
      const { client, output } = await open();
      output.one(await client.accounts.setRole(who, role), accountView);
    });
}

function addDisable({ command, open, terminal }: GroupParts): void {
  command
    .command('disable')
    .description('Let somebody in no more: their sessions and tokens end at once, for good')
    .argument(...email)
    .option('-y, --yes', 'do not ask')
    .action(async (who, { yes = false }) => {
      const { client, output } = await open();
      await confirmLasting(terminal, { yes, action: 'disable', question: `End every token of ${who}?` });
      output.one(await client.accounts.disable(who), accountView);
    });
}

function addEnable({ command, open }: GroupParts): void {
  command
    .command('enable')
    .description('Let somebody in again')
    .argument(...email)
    .action(async (who) => {
      const { client, output } = await open();
      output.one(await client.accounts.enable(who), accountView);
    });
}

function addResetPassword({ command, open, terminal }: GroupParts): void {
  command
    .command('reset-password')
    .description(
      'Give somebody another password, which ends their sessions; one that is made is shown only now',
    )
    .argument(...email)
    .option('--password-stdin', 'read the password from standard input')
    .action(async (who, { passwordStdin }) => {
      const { client, output } = await open();
      const password = passwordStdin ? await standardInput(terminal.stdin) : undefined;
      showMade(output, await client.accounts.resetPassword(who, password));
    });
}

function addUnlink({ command, open }: GroupParts): void {
  command
    .command('unlink')
    .description('Forget who somebody is at the identity provider: the next one with this e-mail is linked')
    .argument(...email)
    .action(async (who) => {
      const { client, output } = await open();
      await client.accounts.unlink(who);
      if (output.isJson) output.json({ unlinked: who });
      else output.say(`Unlinked ${who}`);
    });
}

function addRemove({ command, open, terminal }: GroupParts): void {
  command
    .command('remove')
    .description('Remove an account with its sessions and tokens')
    .argument(...email)
    .option('-y, --yes', 'do not ask')
    .action(async (who, { yes = false }) => {
      const { client, output } = await open();
      await confirmLasting(terminal, { yes, action: 'remove', question: `Remove ${who}?` });
      await client.accounts.remove(who);
      if (output.isJson) output.json({ removed: who });
      else output.say(`Removed ${who}`);
    });
}

/** The password alone on stdout, so that it can be piped. */
function showMade(output: Output, account: AccountWithPassword): void {
  const { password, ...shown } = account;
  if (output.isJson) return output.json(account);
  if (password === undefined) return output.one(shown, accountView);
  output.say(`${detailedText(accountView.fields(shown, output.paint))}The password is shown only now:`);
  output.data(`${password}\n`);
}
