import type { Command } from '@commander-js/extra-typings';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import type { Open } from '../../environment.ts';
import { bundleView } from '../../views/bundle.ts';

export function addBundleList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List bundles')
    .addOption(pageOption())
    .addOption(perPageOption('bundles'))
    .action(async ({ page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.bundles.list({ page, per_page: perPage }), bundleView);
    });
}
