import type { Command } from '@commander-js/extra-typings';
import type { AccessToken } from '../../../shared/api/access.ts';
import { expirySeconds, oneOf, orNull } from '../../arguments/argument-parsers.ts';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import type { Open } from '../../environment.ts';
import { showSecret } from '../../output/secret.ts';
import { accessTokenView } from '../../views/access.ts';

const defaultExpirySeconds = 90 * 86_400;

export function addAuthToken(group: Command, open: Open): void {
  const token = group.command('token').description('Your access tokens');
  addCreate(token, open);

  token
    .command('list')
    .description('List your access tokens')
    .addOption(pageOption())
    .addOption(perPageOption('tokens'))
    .action(async ({ page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.access.tokens({ page, per_page: perPage }), accessTokenView);
    });

  token
    .command('revoke')
    .description('Revoke an access token')
    .argument('<name>', 'name of the token')
    .action(async (name) => {
      const { client, output } = await open();
      await client.access.revokeToken(name);
      if (output.isJson) output.json({ revoked: name });
      else output.say(`Revoked ${name}`);
    });
}

function addCreate(token: Command, open: Open): void {
  token
    .command('create')
    .description('Make an access token; it is shown only now')
    .argument('<name>', 'name, to list and revoke it by')
    .option('--scope <scope>', 'RW, or RO for reading only', oneOf(['RW', 'RO']), 'RW' as const)
    .option('--expires-in <duration>', 'such as 30d, or never (default 90d)', expirySeconds)
    .action(async (name, { scope, expiresIn }) => {
      const { client, output } = await open();
      const created = await client.access.createToken({
        name,
        scope,
        expires_in_seconds: orNull(expiresIn ?? defaultExpirySeconds),
      });
      showSecret<AccessToken>(output, created, accessTokenView);
    });
}
