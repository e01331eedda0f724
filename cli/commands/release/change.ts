import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { namedVersion } from '../../arguments/named-version.ts';
import { confirmLasting } from '../../prompt.ts';
import { releaseView } from '../../views/release.ts';

export function addReleaseChanges(group: Command, open: Open): void {
  group
    .command('promote')
    .description('Make a release the one that is installed when no version is named')
    .argument(
      '<[plugin@]version>',
      'version of the agent, such as 1.2.0; of a plugin: netdiag@1.0.0',
      namedVersion,
    )
    .action(async ({ name, version }) => {
      const { client, output } = await open();
      output.list((await client.releases.promote(version, name)).items, releaseView);
    });

  group
    .command('yank')
    .description('Let nobody install a release any more; devices that have it go on')
    .argument(
      '<[plugin@]version>',
      'version of the agent, such as 1.2.0; of a plugin: netdiag@1.0.0',
      namedVersion,
    )
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .action(async ({ name, version }, { yes }) => {
      const { client, output, terminal } = await open();
      const of = name === undefined ? '' : ` of ${name}`;
      await confirmLasting(terminal, {
        yes: yes === true,
        action: `yanking release ${version}${of} cannot be undone`,
        question: `Yank release ${version}${of}? This cannot be undone`,
      });
      output.list((await client.releases.yank(version, name)).items, releaseView);
    });
}
