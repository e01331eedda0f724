import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { deviceView } from '../../views/device.ts';
import { changeEach } from './change-each.ts';

const verbs = [
  {
    verb: 'approve',
    description:
      'Approve a device that asked to join; also lifts a quarantine. Compare its key fingerprint first',
  },
  { verb: 'enable', description: 'Enable a device that was disabled' },
  {
    verb: 'rotate-key',
    description: 'Let a device make a new key; both are accepted until it comes back with the new one',
  },
  { verb: 'disable', description: 'Disable a device: its link is closed and its tasks wait' },
] as const;

export function addDeviceChanges(group: Command, open: Open): void {
  for (const { verb, description } of verbs) {
    group
      .command(verb)
      .description(description)
      .argument('<devices...>', 'names or UUIDs')
      .action(async (names) => {
        const environment = await open();
        const { client, output } = environment;
        const [only = '', ...others] = names;
        if (others.length === 0) output.one(await client.devices.change(only, verb), deviceView);
        else await changeEach(environment, names, (name) => client.devices.change(name, verb));
      });
  }
}
