import type { z } from 'zod';
import type { PluginInstallRequest } from '../../shared/api/releases.ts';
import type { RunRequest } from '../../shared/api/tasks.ts';
import type { Releases } from '../content/releases.ts';
import { runRequestOf } from './run-request.ts';

/** The run that a request to install a release makes; the promoted release counts at this moment. Throws when there is none to install. */
export async function pluginInstallRequest(
  releases: Pick<Releases, 'toInstall'>,
  organizationId: string,
  wish: z.output<typeof PluginInstallRequest>,
): Promise<RunRequest> {
  const { version, platform, force, trial_seconds, ...common } = wish;
  const release = await releases.toInstall(organizationId, platform, version);
  const { sha256, bytes, signature } = release;
  const payload = { version: release.version, platform, sha256, bytes, signature, force, trial_seconds };
  return runRequestOf('PLUGIN_INSTALL', common, payload);
}
