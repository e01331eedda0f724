import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from '../shared/node/config-error.ts';
import { systemClock, systemRandom } from '../shared/node/system-clock.ts';
import type { ConfigurationOptions } from './compose-configuration.ts';
import { openDeviceKeys } from './device-keys.ts';
import { createBackupHandler } from './handlers/backup.ts';
import type { Configuration } from './handlers/configuration.ts';
import { createPullHandler } from './handlers/pull.ts';
import { createSyncHandler } from './handlers/sync.ts';
import { HttpControllerProbe } from './link/controller-probe.ts';
import type { Handlers } from './runner/runner.ts';
import { DiskTree } from './transaction/archive-disk-tree.ts';
import { MachineTree } from './transaction/archive-machine-tree.ts';
import { createLinuxTransactionMachine } from './transaction/linux/machine.ts';
import type { TransactionMachine } from './transaction/machine.ts';
import { chooseProfile, loadProfiles, platformOf } from './transaction/profiles.ts';
import { endPendingTransaction } from './transaction/recover-transaction.ts';

/** What is the agent's own on every machine, whatever a profile says. */
const ownUnits = [
  'muster-agent.service',
  'muster-agent-root-helper.service',
  'muster-agent-root-helper.socket',
  'muster-guard-boot.service',
  'muster-release-guard.service',
];
const ownPaths = [
  '/etc/muster',
  '/usr/lib/muster-agent',
  '/var/lib/muster-agent',
  '/var/lib/muster-releases',
  ...['/etc/systemd/system', '/lib/systemd/system', '/usr/lib/systemd/system'].flatMap((folder) =>
    ownUnits.flatMap((unit) => [`${folder}/${unit}`, `${folder}/${unit}.d`]),
  ),
];

/** Everything that SYNC, PULL and BACKUP work with. None when the profile of this machine cannot be used. */
export async function openConfiguration(
  options: ConfigurationOptions,
): Promise<{ handlers: Handlers; facts: Record<string, unknown> }> {
  const { folder, config, identity, controllerKeys, asking, transfers, dummy, log } = options;
  const opened = await openMachine(options).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    // Whoever wrote a wrong profile still needs the agent.
    log.error({ err: error }, 'the profile of this device cannot be used: no SYNC, PULL and BACKUP');
    return undefined;
  });
  if (!opened) return { handlers: {}, facts: {} };
  const { profile, machine } = opened;
  const ended = await endPendingTransaction(machine);
  if (ended !== undefined) log.warn({ event: 'transaction.ended' }, ended);

  removeLeftovers(folder.spool);
  const keys = await openDeviceKeys(folder, { keys: asking.keys });
  const configuration: Configuration = {
    device: { id: identity.device_id, name: identity.name, agentVersion: config.version },
    profile,
    machine,
    transfers,
    probe: new HttpControllerProbe({ ...asking, controllerKeys, clock: systemClock }),
    keys,
    tree: dummy ? new MachineTree(machine) : new DiskTree(),
    spool: folder.spool,
    memory: { view: folder.lastView, archive: folder.lastArchive },
    ownPaths: [...ownPaths, config.configuration.profiles_folder, resolve(folder.path)],
    ...(config.policy.recipients ? { allowedRecipients: config.policy.recipients } : {}),
  };
  const handlers = {
    SYNC: createSyncHandler(configuration),
    PULL: createPullHandler(configuration),
    BACKUP: createBackupHandler(configuration),
  };
  const { id, rev } = profile;
  return { handlers, facts: { encryption_recipient: keys.recipient, profile: { id, rev } } };
}

function osRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

/** What a process that was killed had not brought yet is made anew. */
function removeLeftovers(spool: string): void {
  if (!existsSync(spool)) return;
  for (const name of readdirSync(spool)) {
    if (/^(pull|backup)-/.test(name)) rmSync(join(spool, name), { force: true });
  }
}

/** The machine this process runs on; with `dummy` one in memory, with a small profile that shows how it behaves. */
async function openMachine({
  folder,
  config,
  system,
  dummy,
}: ConfigurationOptions): Promise<{ profile: Configuration['profile']; machine: TransactionMachine }> {
  if (dummy) {
    const { bootMemoryMachine } = await import('./transaction/memory/memory-machine.ts');
    const { memoryProfile: profile } = await import('./transaction/memory/memory-profile.ts');
    const bootId = systemRandom.uuid();
    return { profile, machine: await bootMemoryMachine({ profile, clock: systemClock, bootId }) };
  }
  const { profile: id, profiles_folder: own } = config.configuration;
  const profile = chooseProfile(loadProfiles(existsSync(own) ? own : undefined), {
    platform: platformOf(osRelease(), process.platform),
    ...(id === undefined ? {} : { id }),
  });
  return {
    profile,
    machine: createLinuxTransactionMachine({ folder: folder.transactions, processes: system.processes }),
  };
}
