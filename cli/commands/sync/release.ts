import type { Command } from '@commander-js/extra-typings';
import { given } from '../../arguments/given.ts';
import type { Open } from '../../environment.ts';

export function addSyncRelease(group: Command, open: Open): void {
  group
    .command('release')
    .description('Allow configurations that were rolled back on a device to be applied to it again')
    .argument('<device>', 'name or UUID')
    .option('--content <digest>', 'only this one; `sync status` names them')
    .action(async (device, { content }) => {
      const { client, output } = await open();
      const answer = await client.sync.release(device, given({ content }));
      if (output.isJson) output.json(answer);
      else if (output.quiet) output.data(answer.released.map((one) => `${one}\n`).join(''));
      else if (answer.released.length === 0) output.say(`Nothing is quarantined on ${answer.device_name}`);
      else output.say(`Allowed again on ${answer.device_name}: ${answer.released.join(', ')}`);
    });
}
