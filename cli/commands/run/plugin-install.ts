import type { Command } from '@commander-js/extra-typings';
import { durationMs } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { CliError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { confirm } from '../../prompt.ts';
import { isInteractive } from '../../terminal.ts';
import { addToSchedule } from '../schedule/add-to-schedule.ts';
import { conclude, tellSkipped } from './conclude.ts';
import { orderOf } from './request.ts';
import { orderCommand } from './run-options.ts';

const notes = `
A device installs what the key in its own /etc/muster/release.pub signed. The new version has to reach the controller in time;
else the version before comes back by itself, and the task is FAILED rolled_back.

Example: muster run plugin-install --label site=berlin --canary 1 --max-failures 0 --wait`;

export function addRunPluginInstall(group: Command, open: Open): void {
  orderCommand(group, 'plugin-install', 'Install a release of the Muster agent on the device')
    // `--version` is an option of the program itself, without a value: what follows it is this argument.
    .argument('[version]', 'which release, also as --version VERSION (default: the promoted one)')
    .optionsGroup('Release:')
    .option('--platform <platform>', 'what the devices are, such as linux-x64')
    .option(
      '--trial <duration>',
      'how long the new version may take to prove itself (default 2m)',
      durationMs,
    )
    .option('--force', 'also on devices that went back from this release before')
    .option('-y, --yes', 'do not ask')
    .optionsGroup('Options:')
    .addHelpText('after', notes)
    .action(async (version, options) => {
      const environment = await open();
      const { client, terminal } = environment;
      const { platform, trial, force, yes } = options;
      const wanted = {
        ...orderOf(options, environment),
        ...given({ version, platform, force }),
        ...given({ trial_seconds: trial === undefined ? undefined : Math.ceil(trial / 1000) }),
      };
      if (!yes && isInteractive(terminal)) {
        const question = `Install ${version ?? 'the promoted release'} of the agent on these devices?`;
        if (!(await confirm(terminal, question))) {
          throw new CliError('failed', 'nothing was sent', { code: 'declined' });
        }
      }
      if (await addToSchedule(environment, options, { kind: 'PLUGIN_INSTALL', request: wanted })) return;
      const answer = await client.releases.install(wanted, terminal.random.uuid());
      tellSkipped(environment, answer);
      await conclude(environment, answer, options);
    });
}
