import type { Logger } from '../shared/node/logger.ts';
import type { AgentConfig } from './config.ts';
import type { Handler } from './handlers/handler.ts';
import { createPluginInstallHandler } from './handlers/plugin-install.ts';
import type { Transfers } from './handlers/transfers.ts';
import { createPluginInstaller } from './plugins/install-plugin.ts';
import { InstalledPlugins } from './plugins/installed-plugins.ts';
import { pluginHandler, pluginTypes, tellingOfChanges } from './plugins/plugin-handlers.ts';
import { GuardProgram } from './releases/guard-program.ts';
import { ReleaseFolder } from './releases/release-folder.ts';
import { type RemoteHelper, remoteHandler } from './root-helper/remote-handler.ts';
import type { PluginTypes } from './runner/find-handler.ts';
import { pluginUsers } from './runner/policy.ts';
import type { Handlers } from './runner/runner.ts';
import { schemaRange } from './store/schema.ts';

/** Where the Debian package lies. */
const packageHome = '/usr/lib/muster-agent';

/** What installs releases and plugins and runs what they bring, where the rights for it are: in a root helper, or in an agent without one. */
export interface OwnPackages {
  install: Handler;
  plugins: PluginTypes;
}

export function composePackages({
  config,
  transfers,
  log,
}: {
  config: AgentConfig;
  transfers: Pick<Transfers, 'download'>;
  log: Logger;
}): OwnPackages {
  const { folder, key_file: file, public_keys: publicKeys } = config.releases;
  const platform = `${process.platform}-${process.arch}`;
  const users = pluginUsers(config.policy);
  const trusted = { file, publicKeys };
  const installer = createPluginInstaller({ folder, trusted, transfers, platform, users });
  const install = createPluginInstallHandler(
    {
      folder: new ReleaseFolder(folder),
      ...{ trusted, transfers, platform },
      guard: new GuardProgram(packageHome, folder),
      version: config.version,
      schema: schemaRange(),
    },
    installer,
  );
  const installed = new InstalledPlugins(folder, log);
  const plugins = pluginTypes(installed, (found) => pluginHandler(found, users));
  return { install: tellingOfChanges(install, installed), plugins };
}

/** What a root helper installs and runs, seen from the agent beside it: nothing while there is none. */
export function composeRemotePackages(
  handlers: Handlers,
  { helper, config, log }: { helper: RemoteHelper; config: AgentConfig; log: Logger },
): Partial<OwnPackages> {
  const { PLUGIN_INSTALL: install } = handlers;
  if (!install) return {};
  const installed = new InstalledPlugins(config.releases.folder, log);
  return {
    install: tellingOfChanges(install, installed),
    plugins: pluginTypes(installed, ({ contract }) => remoteHandler(contract, helper)),
  };
}
