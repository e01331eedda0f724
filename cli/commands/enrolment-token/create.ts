import type { Command } from '@commander-js/extra-typings';
import type { EnrolmentToken } from '../../../shared/api/access.ts';
import { expirySeconds, label, orNull, wholeNumber } from '../../arguments/argument-parsers.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { showSecret } from '../../output/secret.ts';
import { enrolmentTokenView } from '../../views/access.ts';

export function addEnrolmentTokenCreate(group: Command, open: Open): void {
  group
    .command('create')
    .description('Make a token for muster-agent enrol; it is shown only now')
    .argument('<name>', 'name, to list and revoke it by')
    .option('--uses <number>', 'how many devices may use it (default 1)', wholeNumber(1, 1_000_000))
    .option('--unlimited', 'any number of devices may use it')
    .option('--expires-in <duration>', 'such as 2h or 7d, or never (default 1d)', expirySeconds)
    .option('--auto-approve', 'devices that use it need no approval', false)
    .option('--label <key=value>', 'label for devices that join with it; repeatable', label)
    .action(async (name, options) => {
      if (options.unlimited && options.uses !== undefined)
        throw usageError('--uses and --unlimited exclude each other');
      const { client, output } = await open();
      const created = await client.access.createEnrolmentToken({
        name,
        max_uses: options.unlimited ? null : (options.uses ?? 1),
        expires_in_seconds: orNull(options.expiresIn ?? 86_400),
        auto_approve: options.autoApprove,
        labels: options.label ?? {},
      });
      showSecret<EnrolmentToken>(output, created, enrolmentTokenView);
      output.say(`On the device: muster-agent enrol --url ${client.http.url} --token TOKEN`);
    });
}
