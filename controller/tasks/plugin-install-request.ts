import type { z } from 'zod';
import type { PluginInstallRequest } from '../../shared/api/releases.ts';
import type { RunRequest } from '../../shared/api/tasks.ts';
import { AppError } from '../../shared/errors.ts';
import { agentPackage } from '../../shared/release.ts';
import type { Releases } from '../content/releases.ts';
import { runRequestOf } from './run-request.ts';

/** The run that a request to install or remove a release makes; the promoted release counts at this moment. Throws when there is none to install. */
export async function pluginInstallRequest(
  releases: Pick<Releases, 'toInstall'>,
  organizationId: string,
  wish: z.output<typeof PluginInstallRequest>,
): Promise<RunRequest> {
  if (wish.remove) return removal(wish);
  const { name, force, trial_seconds, ...common } = wish;
  const release = await releases.toInstall(organizationId, { ...wish, name: name ?? agentPackage });
  const { version, platform, sha256, bytes, signature } = release;
  const payload = {
    ...(name !== undefined && { name }), // agents that know no plugins take an order without it
    ...{ version, platform, sha256, bytes, signature, force, trial_seconds },
  };
  return runRequestOf('PLUGIN_INSTALL', common, payload);
}

function removal({ name, ...wish }: z.output<typeof PluginInstallRequest>): RunRequest {
  if (name === undefined) {
    throw new AppError('bad_request', 'remove needs name: only a plugin can be removed, not the agent');
  }
  if (wish.version !== undefined || wish.force) {
    throw new AppError(
      'exclusive_options',
      'remove takes the plugin away whatever its version is: leave out version and force',
    );
  }
  return runRequestOf('PLUGIN_INSTALL', wish, { name, remove: true });
}
