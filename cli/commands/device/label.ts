import type { Command } from '@commander-js/extra-typings';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { deviceView } from '../../views/device.ts';

export function addDeviceLabel(group: Command, open: Open): void {
  group
    .command('label')
    .description('Set labels of a device, or remove them')
    .argument('<device>', 'name or UUID')
    .argument('<changes...>', 'key=value to set, key- to remove')
    .action(async (name, changes) => {
      const labels = Object.fromEntries(changes.map(labelChange));
      const { client, output } = await open();
      output.one(await client.devices.label(name, labels), deviceView);
    });
}

function labelChange(text: string): [key: string, value: string | null] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  if (at === -1 && text.length > 1 && text.endsWith('-')) return [text.slice(0, -1), null];
  throw usageError(`${text} is not understood: expected key=value to set a label, or key- to remove it`);
}
