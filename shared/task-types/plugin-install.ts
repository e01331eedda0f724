import { z } from 'zod';
import { maxReleaseBytes, PackagePlatform, PluginName, ReleaseVersion } from '../release.ts';
import { taskContract } from './task-type.ts';

/**
 * COMPLETED when the new version of the agent runs, passed its self-check, and the controller heard from it; for a plugin, when it is in
 * place and has said what it should be. Made by `/plugin-install` only.
 */
export const PluginInstall = taskContract({
  name: 'PLUGIN_INSTALL',
  summary:
    'Installs a signed release of the agent, which goes back by itself when it does not prove itself, or of a plugin',
  madeBy: 'release',
  parameters: z.strictObject({
    name: PluginName.optional().describe('of a plugin; the agent itself when absent'),
    version: ReleaseVersion,
    platform: PackagePlatform,
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    bytes: z.int().min(1).max(maxReleaseBytes),
    signature: z.string().max(4096).describe('as minisign writes it; its trusted comment is the manifest'),
    force: z.boolean().default(false).describe('also when this device went back from it before'),
    trial_seconds: z
      .int()
      .min(20)
      .max(300)
      .default(120)
      .describe('how long the new version may take to prove itself'),
  }),
  result: z.object({
    previous_version: z.string(),
    version: z.string(),
    sha256: z.string(),
    downtime_ms: z.int().describe('from the switch until the new version had reached the controller'),
  }),
});
export type PluginInstallParameters = z.output<typeof PluginInstall.parameters>;
