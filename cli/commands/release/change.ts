import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { confirmLasting } from '../../prompt.ts';
import { releaseView } from '../../views/release.ts';

export function addReleaseChanges(group: Command, open: Open): void {
  group
    .command('promote')
    .description('Make a release the one that is installed when no version is named')
    .argument('<version>', 'version of the release')
    .action(async (version) => {
      const { client, output } = await open();
      output.list((await client.releases.promote(version)).items, releaseView);
    });

  group
    .command('yank')
    .description('Let nobody install a release any more; devices that run it go on')
    .argument('<version>', 'version of the release')
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .action(async (version, { yes }) => {
      const { client, output, terminal } = await open();
      await confirmLasting(terminal, {
        yes: yes === true,
        action: `yanking release ${version} cannot be undone`,
        question: `Yank release ${version}? This cannot be undone`,
      });
      output.list((await client.releases.yank(version)).items, releaseView);
    });
}
