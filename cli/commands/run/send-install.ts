import type { PluginInstallRequest } from '../../../shared/api/releases.ts';
import { CliError } from '../../cli-error.ts';
import type { Environment } from '../../environment.ts';
import { confirm } from '../../prompt.ts';
import { isInteractive } from '../../terminal.ts';
import { addToSchedule } from '../schedule/add-to-schedule.ts';
import { conclude, tellSkipped } from './conclude.ts';
import type { OrderOptions } from './run-options.ts';

/** Asks, and has devices install or remove a release. */
export async function sendInstall(
  environment: Environment,
  options: OrderOptions & { yes?: boolean | undefined },
  { wanted, question }: { wanted: PluginInstallRequest; question: string },
): Promise<void> {
  const { client, terminal } = environment;
  if (!options.yes && isInteractive(terminal) && !(await confirm(terminal, question))) {
    throw new CliError('failed', 'nothing was sent', { code: 'declined' });
  }
  if (await addToSchedule(environment, options, { kind: 'PLUGIN_INSTALL', request: wanted })) return;
  const answer = await client.releases.install(wanted, terminal.random.uuid());
  tellSkipped(environment, answer);
  await conclude(environment, answer, options);
}
