import { tmpdir } from 'node:os';
import { systemClock, systemRandom } from '../shared/node/system-clock.ts';
import { keyFingerprint, type KeyPair } from '../shared/node/keys.ts';
import { openSessionSocket } from '../shared/node/session-socket.ts';
import type { Logger } from '../shared/node/logger.ts';
import type { AgentConfig } from './config.ts';
import { CommandError, exitCodes } from './command-error.ts';
import { composeConfiguration } from './compose-configuration.ts';
import type { AgentParts } from './core.ts';
import type { Sqlite } from '../shared/node/sqlite.ts';
import type { DataFolder } from './data-folder.ts';
import { DiskReserve } from './disk-reserve.ts';
import { DeviceKey } from './device-key.ts';
import { askingAs, controllerKeysOf, type Identity, readIdentity, readKeys } from './identity.ts';
import { composeHandlers, rootHelperOf } from './compose-handlers.ts';
import { composePackages, composeRemotePackages, type OwnPackages } from './compose-plugins.ts';
import { createConnectHandler } from './handlers/connect.ts';
import { ControllerClock } from './link/controller-clock.ts';
import { HttpControllerProbe } from './link/controller-probe.ts';
import { deviceToken } from './link/device-token.ts';
import { wsDial } from './link/dial.ts';
import { HttpTransfers } from './link/transfers.ts';
import { helperPrograms } from './root-helper/helper-programs.ts';
import { giveDeviceKey } from './root-helper/helper-connection.ts';
import { type KeyRotationParts, rotateDeviceKey } from './rotate-device-key.ts';
import type { KeyRotation } from './loops/session.ts';
import { lockInstance } from './store/instance-lock.ts';
import { openDatabase } from './store/open-database.ts';
import { DatabaseTooNew } from './store/schema.ts';
import { createLinuxSystem } from './system/linux.ts';
import { createStreams } from './system/streams/create-streams.ts';
import type { System } from './system/system.ts';
import { ownUser } from './system/user.ts';

/** What takes the agent away, and what comes then. */
export interface Hooks {
  onReboot: () => void;
  onPowerOff: () => void;
  onRestartAgent: () => void;
}

export interface Context extends Disposable {
  parts: AgentParts;
  identity: Identity;
  keyFingerprint(): string;
  /** Absent when everything is there. */
  untilComplete?: ((signal: AbortSignal) => Promise<void>) | undefined;
}

/** Another process may be on its way out. */
const waitForLockMs = 3_000;

/** Everything a real agent is made of. Disposing closes the database and lets another process have the folder. */
export async function openContext(options: {
  folder: DataFolder;
  config: AgentConfig;
  log: Logger;
  dummy: boolean;
  hooks: Hooks;
}): Promise<Context> {
  const { folder, config, log } = options;
  readEnrolment(folder);
  using resources = new DisposableStack();
  const lock = lockInstance(folder.lock, waitForLockMs);
  if (!lock) throw new CommandError(`Another agent already runs with the data in ${folder.path}`);
  resources.use(lock);
  // The process before may have changed them on its way out.
  const { identity, keys } = readEnrolment(folder);

  const reserve = new DiskReserve(folder.reserve);
  const db = openKnown(folder, log);
  resources.adopt(db, (open) => open.close());
  reserve.take();

  const controllerClock = new ControllerClock(systemClock);
  const controllerKeys = controllerKeysOf(identity, { folder, now: () => controllerClock.now() });
  const key = new DeviceKey(folder, keys);
  const asking = askingAs(identity, { keys: key, controllerClock, random: systemRandom });
  const dial = wsDial(asking);
  const transfers = resources.use(new HttpTransfers({ ...asking, clock: systemClock }));
  const system = await composeSystem(options, identity);
  const own = await composeConfiguration({ ...options, identity, controllerKeys, asking, transfers, system });
  const probe = new HttpControllerProbe({ ...asking, controllerKeys, clock: systemClock });
  const helper = rootHelperOf({ config, controllerClock, controllerKeys, probe });
  const { handlers, facts, untilComplete } = await composeHandlers(own, helper, log);
  const packages: Partial<OwnPackages> = helper
    ? composeRemotePackages(handlers, { helper, config, log })
    : composePackages({ config, transfers, log });
  const parts: AgentParts = {
    db,
    system: withFacts(system, () => ({ ...facts, plugins: packages.plugins?.versions() ?? {} })),
    dial,
    identity: { deviceId: identity.device_id, controllerKey: identity.controller_key },
    controllerKeys,
    keyRotation: keyRotationOf({ ...options, identity, key, transfers }),
    clock: systemClock,
    random: systemRandom,
    log,
    config,
    ownUser: ownUser().name,
    controllerClock,
    isPartial: untilComplete !== undefined,
    ...(packages.plugins && { plugins: packages.plugins }),
    handlers: {
      ...handlers,
      ...(packages.install && { PLUGIN_INSTALL: packages.install }),
      CONNECT: createConnectHandler({
        streams: createStreams(),
        policy: config.remote_access,
        dial: (session, signal) =>
          openSessionSocket({ url: asking.url, session, token: () => deviceToken(asking), signal }),
        upload: (request, signal) => transfers.upload(request, signal),
        spool: folder.spool,
        deviceName: identity.name,
        elsewhere: helper && helperPrograms(helper),
      }),
    },
    makeRoom: () => reserve.giveUp(),
  };
  const owned = resources.move();
  return {
    parts,
    identity,
    keyFingerprint: () => keyFingerprint(key.publicKey),
    untilComplete,
    [Symbol.dispose]: () => owned.dispose(),
  };
}

function readEnrolment(folder: DataFolder): { identity: Identity; keys: KeyPair } {
  const identity = readIdentity(folder);
  const keys = readKeys(folder);
  if (identity && keys) return { identity, keys };
  throw new CommandError(
    `This device is not enrolled (nothing in ${folder.path}): run \`muster-agent enrol TOKEN --data ${folder.path}\` first`,
  );
}

function openKnown(folder: DataFolder, log: Logger): Sqlite {
  try {
    return openDatabase(folder.database, { clock: systemClock, log });
  } catch (error) {
    if (!(error instanceof DatabaseTooNew)) throw error;
    throw new CommandError(
      `${folder.database} cannot be used: ${error.message}. Nothing was changed. Install the version that ran before, or a newer one; or, to give up what it holds, move the file away and start the agent: the controller then reports its tasks as lost`,
      exitCodes.outdated,
    );
  }
}

function keyRotationOf({
  config,
  identity,
  key,
  transfers,
  log,
}: {
  config: AgentConfig;
  identity: Identity;
  key: DeviceKey;
  transfers: HttpTransfers;
  log: Logger;
}): KeyRotation {
  const { root_helper: helper, rotate_key_days: days } = config;
  const { socket } = helper;
  const parts: KeyRotationParts = {
    key,
    device: { id: identity.device_id, controllerId: identity.controller_id },
    post: (...asked) => transfers.post(...asked),
    share: socket === undefined ? undefined : (pem) => giveDeviceKey(socket, pem),
    log,
  };
  return {
    isDue: () => days !== undefined && key.isOlderThan(days * 86_400_000, systemClock.now()),
    rotate: (signal) => rotateDeviceKey(parts, signal),
  };
}

/** Whoever plans for this device, or encrypts to it, finds among the facts with what. */
function withFacts(system: System, more: () => Record<string, unknown>): System {
  const collect = async () => ({ ...(await system.facts.collect()), ...more() });
  return { ...system, facts: { collect } };
}

/** The real machine; with `dummy`, power and services in memory and everything else real. */
async function composeSystem(
  { dummy, hooks, folder }: { dummy: boolean; hooks: Hooks; folder: DataFolder },
  identity: Identity,
): Promise<System> {
  const linux = createLinuxSystem({
    power: {
      env: process.env,
      unit: 'muster-agent.service',
      restartProcess: async () => hooks.onRestartAgent(),
    },
    processes: {
      scripts: { folder: tmpdir(), agent: identity.device_id },
      agentProgram: process.argv[1] === undefined ? undefined : [process.execPath, process.argv[1]],
    },
  });
  if (!dummy) return linux;

  const { DummyMachine } = await import('./system/dummy/machine.ts');
  const { bootIdFile } = await import('./system/dummy/boot-id-storage.ts');
  const machine = new DummyMachine({
    clock: systemClock,
    random: systemRandom,
    hooks,
    storage: bootIdFile(folder.dummyBootId),
  });
  return { ...linux, power: machine.power, services: machine.services };
}
