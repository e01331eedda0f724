import type { Command } from '@commander-js/extra-typings';
import type { EnrolmentToken } from '../../../shared/api/access.ts';
import { durationMs } from '../../arguments/argument-parsers.ts';
import type { Open } from '../../environment.ts';
import { showSecret } from '../../output/secret.ts';
import { enrolmentTokenView } from '../../views/access.ts';

export function addDeviceRebind(group: Command, open: Open): void {
  group
    .command('rebind')
    .description(
      'Make a token with which another machine takes the place of a device: name, labels and history stay',
    )
    .argument('<device>', 'name or UUID')
    .option('--expires-in <duration>', 'such as 2h or 7d', durationMs, 86_400_000)
    .action(async (name, { expiresIn }) => {
      const { client, output } = await open();
      const created = await client.devices.rebind(name, Math.ceil(expiresIn / 1000));
      showSecret<EnrolmentToken>(output, created, enrolmentTokenView);
      output.say(
        'On the machine: muster-agent enrol --token TOKEN (with --force, if it was enrolled before). The key before it ends then',
      );
    });
}
