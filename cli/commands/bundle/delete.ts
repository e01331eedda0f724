import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { confirmLasting } from '../../prompt.ts';

export function addBundleDelete(group: Command, open: Open): void {
  group
    .command('delete')
    .description(
      'Delete a bundle: its files are no longer desired; devices keep what they have until the next sync',
    )
    .argument('<name>', 'name of the bundle')
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .action(async (name, { yes }) => {
      const { client, output, terminal } = await open();
      await confirmLasting(terminal, {
        yes: yes === true,
        action: `deleting the bundle ${name} cannot be undone`,
        question: `Delete the bundle ${name}? This cannot be undone`,
      });
      await client.bundles.remove(name);
      if (output.isJson) output.json({ deleted: name });
      else output.say(`Deleted ${name}`);
    });
}
