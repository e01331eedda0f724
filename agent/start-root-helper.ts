import { join } from 'node:path';
import { importPrivateKey, keyFingerprint } from '../shared/node/keys.ts';
import { createLogger } from '../shared/node/logger.ts';
import { systemClock, systemRandom } from '../shared/node/system-clock.ts';
import { CommandError } from './command-error.ts';
import { composeConfiguration } from './compose-configuration.ts';
import { composePackages } from './compose-plugins.ts';
import type { AgentConfig } from './config.ts';
import type { DataFolder } from './data-folder.ts';
import { DeviceKey } from './device-key.ts';
import { createProgramsHandler } from './handlers/connect-programs.ts';
import { handlers } from './handlers/registry.ts';
import { askingAs, controllerKeysOf, readIdentity, readKeys } from './identity.ts';
import { ControllerClock } from './link/controller-clock.ts';
import { HttpTransfers } from './link/transfers.ts';
import { type HelperAddress, serveHelper } from './root-helper/helper-server.ts';
import { OrderLedger } from './root-helper/order-ledger.ts';
import { lockInstance } from './store/instance-lock.ts';
import { createLinuxSystem } from './system/linux.ts';
import { createStreams } from './system/streams/create-streams.ts';

export interface RootHelperOptions {
  /** The helper's own; the agent cannot write there. */
  folder: DataFolder;
  config: AgentConfig;
  address: HelperAddress;
}

/** Runs the root helper until it is told to stop. */
export async function startRootHelper({ folder, config, address }: RootHelperOptions): Promise<void> {
  const log = createLogger({
    name: 'muster-agent-root-helper',
    level: config.log_level,
    journal: process.env['JOURNAL_STREAM'] !== undefined,
  });
  const identity = readIdentity(folder);
  const keys = readKeys(folder);
  if (!identity || !keys) {
    throw new CommandError(
      `The root helper does not know whom this device obeys (nothing in ${folder.path}): run \`muster-agent enrol TOKEN\` as root first`,
    );
  }
  using lock = lockInstance(folder.lock, 3_000);
  if (!lock) throw new CommandError(`Another root helper already runs with the data in ${folder.path}`);

  const controllerClock = new ControllerClock(systemClock);
  // By the clock of this machine: what the agent says of the time must not make an old key last.
  const controllerKeys = controllerKeysOf(identity, { folder, now: () => systemClock.now() });
  const key = new DeviceKey(folder, keys);
  const asking = askingAs(identity, { keys: key, controllerClock, random: systemRandom });
  using transfers = new HttpTransfers({ ...asking, clock: systemClock });
  const system = createLinuxSystem({
    power: { env: process.env, unit: 'muster-agent.service', restartProcess: noSystemd },
    processes: {
      scripts: { folder: '/run', agent: identity.device_id },
      agentProgram: process.argv[1] === undefined ? undefined : [process.execPath, process.argv[1]],
    },
  });
  const configuration = await composeConfiguration({
    ...{ folder, config, identity, controllerKeys, asking, transfers, system, log, dummy: false },
  });
  const { SCRIPT, REBOOT, SHUTDOWN, RESTART } = handlers;
  const packages = composePackages({ config, transfers, log });
  const stop = new AbortController();
  using _signals = onStop(() => stop.abort(new Error('stopped')));
  log.info({ event: 'helper.started', device: identity.name }, 'root helper started');
  await serveHelper(
    {
      deviceId: identity.device_id,
      controllerKeys,
      takeDeviceKey: (pem) => {
        key.replace(importPrivateKey(pem));
        return keyFingerprint(key.publicKey);
      },
      handlers: {
        ...Object.fromEntries(Object.entries({ SCRIPT, REBOOT, SHUTDOWN, RESTART }).filter(([, one]) => one)),
        ...configuration.handlers,
        PLUGIN_INSTALL: packages.install,
      },
      plugins: packages.plugins,
      programsHandler: (bytes) =>
        createProgramsHandler(
          {
            streams: createStreams(),
            policy: config.remote_access,
            upload: (request, signal) => transfers.upload(request, signal),
            spool: folder.spool,
            deviceName: identity.name,
          },
          bytes,
        ),
      policy: config.policy,
      ledger: new OrderLedger(join(folder.path, 'orders')),
      system,
      clock: systemClock,
      random: systemRandom,
      log,
      facts: configuration.facts,
      learnControllerTime: (now) => controllerClock.learn(now),
    },
    address,
    stop.signal,
  );
  log.info({ event: 'helper.stopped' }, 'root helper stopped');
}

/** systemd hands over the socket as file descriptor 3 (sd_listen_fds(3)); else the helper makes its own. */
export function helperAddress(env: NodeJS.ProcessEnv, path: string | undefined): HelperAddress {
  if (env['LISTEN_FDS'] === '1') return { fd: 3 };
  if (path !== undefined) return { path };
  throw new CommandError(
    'The root helper has no socket: name one as root_helper.socket in the configuration, or let systemd open it',
  );
}

async function noSystemd(): Promise<never> {
  throw new CommandError('The root helper restarts the agent through systemd, and systemd did not start it');
}

function onStop(stop: () => void): Disposable {
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  return {
    [Symbol.dispose]() {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
    },
  };
}
