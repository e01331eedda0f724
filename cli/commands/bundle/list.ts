import type { Command } from '@commander-js/extra-typings';
import { wholeNumber } from '../../arguments/argument-parsers.ts';
import type { Open } from '../../environment.ts';
import { bundleView } from '../../views/bundle.ts';

export function addBundleList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List bundles')
    .option('--page <number>', 'page, from 1', wholeNumber(1, 1_000_000), 1)
    .option('--per-page <number>', 'bundles per page, at most 100', wholeNumber(1, 100), 30)
    .action(async ({ page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.bundles.list({ page, per_page: perPage }), bundleView);
    });
}
