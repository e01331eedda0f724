import type { Command } from '@commander-js/extra-typings';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import type { Open } from '../../environment.ts';
import { releaseView } from '../../views/release.ts';

export function addReleaseList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List releases of the agent and of plugins, newest first')
    .addOption(pageOption())
    .addOption(perPageOption('releases'))
    .action(async ({ page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.releases.list({ page, per_page: perPage }), releaseView);
    });
}
