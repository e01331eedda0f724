import { z } from 'zod';
import { maxReleaseBytes, PackagePlatform, PluginName, ReleaseVersion } from '../release.ts';
import { taskContract } from './task-type.ts';

/** A release to be installed: what the controller has of it, and who signed it. */
export const InstallParameters = z.strictObject({
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
    .describe('how long a new version of the agent may take to prove itself'),
});
export type InstallParameters = z.output<typeof InstallParameters>;

/** A plugin to be taken away; that it is not there is no failure. */
export const RemoveParameters = z.strictObject({ name: PluginName, remove: z.literal(true) });
export type RemoveParameters = z.output<typeof RemoveParameters>;

const AgentInstalled = z.object({
  previous_version: z.string(),
  version: z.string(),
  sha256: z.string(),
  downtime_ms: z.int().describe('from the switch until the new version had reached the controller'),
});

const PluginInstalled = z.object({
  name: PluginName,
  previous_version: z.string().nullable().describe('null when it was not installed'),
  version: z.string().nullable().describe('null when it was removed'),
});
export type PluginInstalled = z.output<typeof PluginInstalled>;

/**
 * COMPLETED when the new version of the agent runs, passed its self-check, and the controller heard from it; for a plugin, when it is in
 * place and has said what it should be, or is gone. Made by `/plugin-install` only.
 */
export const PluginInstall = taskContract({
  name: 'PLUGIN_INSTALL',
  summary:
    'Installs a signed release of the agent, which goes back by itself when it does not prove itself, or of a plugin; or removes a plugin',
  madeBy: 'release',
  parameters: z.union([InstallParameters, RemoveParameters]),
  result: z.union([AgentInstalled, PluginInstalled]),
});
