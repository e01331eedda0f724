import type { ControllerKeys } from '../shared/node/controller-keys.ts';
import type { Logger } from '../shared/node/logger.ts';
import type { AgentConfig } from './config.ts';
import type { DataFolder } from './data-folder.ts';
import type { Identity } from './identity.ts';
import type { DeviceTokenParts } from './link/device-token.ts';
import type { HttpTransfers } from './link/transfers.ts';
import type { Handlers } from './runner/runner.ts';
import type { System } from './system/system.ts';

export interface ConfigurationOptions {
  folder: DataFolder;
  config: AgentConfig;
  identity: Identity;
  controllerKeys: ControllerKeys;
  asking: DeviceTokenParts & { url: string };
  transfers: HttpTransfers;
  system: System;
  dummy: boolean;
  log: Logger;
}

/**
 * The task types that read and change this machine's configuration. None when it is switched off, or when this process may not change the
 * machine: an agent that is not root does not offer them, and does not load them.
 */
export async function composeConfiguration(
  options: ConfigurationOptions,
): Promise<{ handlers: Handlers; facts: Record<string, unknown> }> {
  const { config, dummy, log } = options;
  if (!config.configuration.enabled) return { handlers: {}, facts: {} };
  if (!dummy && process.getuid?.() !== 0) {
    if (config.root_helper.socket === undefined) log.info('not root: SYNC, PULL and BACKUP are not offered');
    return { handlers: {}, facts: {} };
  }
  const { openConfiguration } = await import('./open-configuration.ts');
  return openConfiguration(options);
}
