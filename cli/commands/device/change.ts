import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { deviceView } from '../../views/device.ts';

const verbs = [
  {
    verb: 'approve',
    description:
      'Approve a device that asked to join; also lifts a quarantine. Compare its key fingerprint first',
  },
  { verb: 'enable', description: 'Enable a device that was disabled' },
  { verb: 'disable', description: 'Disable a device: its link is closed and its tasks wait' },
] as const;

export function addDeviceChanges(group: Command, open: Open): void {
  for (const { verb, description } of verbs) {
    group
      .command(verb)
      .description(description)
      .argument('<device>', 'name or UUID')
      .action(async (name) => {
        const { client, output } = await open();
        output.one(await client.devices.change(name, verb), deviceView);
      });
  }
}
