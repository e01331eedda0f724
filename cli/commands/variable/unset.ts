import type { Command } from '@commander-js/extra-typings';
import { label } from '../../arguments/argument-parsers.ts';
import type { Open } from '../../environment.ts';
import { scopeOf, scopeText } from './scope.ts';

export function addVariableUnset(group: Command, open: Open): void {
  group
    .command('unset')
    .description('Remove a variable from one scope; without --label and --device from the organization')
    .argument('<name>', 'name of the variable')
    .option('--label <key=value>', 'that of the label', label)
    .option('--device <name>', 'that of the device')
    .action(async (name, options) => {
      const scope = scopeOf(options);
      const { client, output } = await open();
      await client.variables.unset({ name, ...scope });
      if (output.isJson) output.json({ unset: name, key: null, ...scope });
      else output.say(`Removed ${name} of ${scopeText(scope)}`);
    });
}
