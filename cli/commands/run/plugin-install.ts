import type { Command } from '@commander-js/extra-typings';
import { durationMs } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { orderOf } from './request.ts';
import { orderCommand } from './run-options.ts';
import { sendInstall } from './send-install.ts';

const notes = `
A device installs what the key in its own /etc/muster/release.pub signed. A new version of the agent has to reach the controller in
time; else the version before comes back by itself, and the task is FAILED rolled_back.

Examples:
  muster run plugin-install --label site=berlin --canary 1 --max-failures 0 --wait
  muster run plugin-install netdiag --version 1.0.0 --device fw-1 --wait`;

export function addRunPluginInstall(group: Command, open: Open): void {
  orderCommand(
    group,
    'plugin-install',
    'Install a release of the Muster agent, or of a plugin, on the device',
  )
    .usage('[options] [PLUGIN] [--version VERSION]')
    // `--version` is an option of the program itself, without a value: what follows it is one of these words.
    .argument(
      '[words...]',
      'the plugin (default: the agent itself) and, after --version, which release (default: the promoted one)',
    )
    .optionsGroup('Release:')
    .option('--plugin <name>', 'the plugin, as the first word')
    .option('--platform <platform>', 'what the devices are, such as linux-x64')
    .option(
      '--trial <duration>',
      'how long a new version of the agent may take to prove itself (default 2m)',
      durationMs,
    )
    .option('--force', 'also on devices that went back from this release before')
    .option('-y, --yes', 'do not ask')
    .optionsGroup('Options:')
    .addHelpText('after', notes)
    .action(async (words, options) => {
      const environment = await open();
      const { plugin, platform, trial, force } = options;
      const { name, version } = releaseOf(plugin === undefined ? words : [plugin, ...words]);
      const wanted = {
        ...orderOf(options, environment),
        ...given({ name, version, platform, force }),
        ...given({ trial_seconds: trial === undefined ? undefined : Math.ceil(trial / 1000) }),
      };
      const what = name === undefined ? 'the agent' : `the plugin ${name}`;
      await sendInstall(environment, options, {
        wanted,
        question: `Install ${version ?? 'the promoted release'} of ${what} on these devices?`,
      });
    });
}

/** Versions begin with a digit, and names of plugins do not. */
function releaseOf(words: string[]): { name: string | undefined; version: string | undefined } {
  const versions = words.filter((word) => /^\d/.test(word));
  const names = words.filter((word) => !/^\d/.test(word));
  if (versions.length > 1 || names.length > 1) {
    throw usageError(`expected one plugin and one version, got ${words.join(' ')}`);
  }
  return { name: names[0], version: versions[0] };
}
