import type { Command } from '@commander-js/extra-typings';
import { label, oneOf } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { variableView } from '../../views/variable.ts';
import { scopeOf } from './scope.ts';

const scopes = ['organization', 'label', 'device'] as const;

export function addVariableList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List variables; values of secrets are never shown')
    .option('--scope <scope>', `only this scope: ${scopes.join(', ')}`, oneOf(scopes))
    .option('--label <key=value>', 'only those of the label', label)
    .option('--device <name>', 'only those of the device itself')
    .addOption(pageOption())
    .addOption(perPageOption('variables'))
    .action(async (options) => {
      const { client, output } = await open();
      const keyed = options.label !== undefined || options.device !== undefined;
      if (keyed && options.scope !== undefined)
        throw usageError('--label and --device name the scope already');
      const scope = keyed ? scopeOf(options) : given({ scope: options.scope });
      const page = await client.variables.list({ page: options.page, per_page: options.perPage, ...scope });
      output.page(page, variableView);
    });
}
