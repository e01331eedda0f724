import { z } from 'zod';
import { PackagePlatform, PluginName, ReleaseVersion } from '../release.ts';
import { InstallParameters } from '../task-types/plugin-install.ts';
import { PageQuery, Timestamp, listOf } from './common.ts';
import { Rollout, Targets } from './tasks.ts';

/** A release of the agent, or of a plugin, that devices can be told to install. */
export const Release = z.object({
  name: z.string().optional().describe('muster-agent, or of a plugin; older controllers do not say it'),
  version: z.string(),
  platform: z.string(),
  floor: z.string().describe('a device that ran it takes no older release than this any more'),
  bytes: z.int(),
  sha256: z.string(),
  key_id: z.string().describe('of the key that signed it'),
  status: z
    .enum(['available', 'promoted', 'yanked'])
    .describe('promoted: installed when no version is named'),
  created_by: z.string(),
  created_at: Timestamp,
  promoted_at: Timestamp.nullable(),
  yanked_at: Timestamp.nullable(),
});
export type Release = z.output<typeof Release>;
export const ReleaseList = listOf(Release);

/** GET /api/v1/organizations/{organization}/releases: newest first. */
export const ReleaseQuery = z.strictObject(PageQuery);

/** POST /api/v1/organizations/{organization}/releases: the body is the archive. */
export const AddRelease = z.strictObject({
  signature: z
    .base64()
    .max(6000)
    .describe('the signature file of minisign, in base64; its trusted comment is the manifest'),
});

/** POST …/releases/{version}/promote and …/yank. */
export const ChangeRelease = z.strictObject({
  name: PluginName.optional().describe('of a plugin; the agent itself when absent'),
});
export type ChangeRelease = z.output<typeof ChangeRelease>;

/** What was done to a version, on every platform that it is there for. */
export const ReleasesOfVersion = z.object({ items: z.array(Release) });

/** POST /api/v1/organizations/{organization}/plugin-install: makes PLUGIN_INSTALL tasks, answered as every run. Honours `Idempotency-Key`. */
export const PluginInstallRequest = z.strictObject({
  targets: Targets,
  name: PluginName.optional().describe('of a plugin; the agent itself when absent'),
  remove: z
    .boolean()
    .default(false)
    .describe('takes the plugin away instead; goes with name, and without version and force'),
  version: ReleaseVersion.optional().describe('the promoted one when absent'),
  platform: PackagePlatform.default('linux-x64').describe(
    'devices of another platform refuse it; a plugin that is not there for it is taken for any',
  ),
  force: z.boolean().default(false).describe('also on devices that went back from this release before'),
  trial_seconds: InstallParameters.shape.trial_seconds,
  scheduled_at: z.iso.datetime({ offset: true }).optional(),
  expires_in_seconds: z.int().min(1).max(31_536_000).optional(),
  timeout_seconds: z.int().min(1).max(604_800).optional(),
  rollout: Rollout.optional(),
});
export type PluginInstallRequest = z.input<typeof PluginInstallRequest>;
