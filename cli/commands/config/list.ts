import type { Command } from '@commander-js/extra-typings';
import { pageOption, perPageOption } from '../../arguments/paging-options.ts';
import type { SnapshotRetention } from '../../../shared/api/configs.ts';
import type { Open } from '../../environment.ts';
import { snapshotView } from '../../views/snapshot.ts';

export function addConfigList(group: Command, open: Open): void {
  group
    .command('list')
    .description('List the versions of a device’s configuration that were pulled, newest first')
    .argument('<device>', 'name or UUID')
    .addOption(pageOption())
    .addOption(perPageOption('versions'))
    .action(async (device, { page, perPage }) => {
      const { client, output } = await open();
      const answer = await client.configs.list(device, { page, per_page: perPage });
      output.page(answer, snapshotView);
      if (answer.retention !== undefined) output.say(kept(answer.retention));
    });
}

const kept = ({ keep, days, at_most }: SnapshotRetention): string =>
  `kept: the newest ${keep}, and those of the last ${days} days before the newest, at most ${at_most}`;
