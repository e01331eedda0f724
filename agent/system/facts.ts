import { arch, availableParallelism, cpus, hostname, networkInterfaces, release, totalmem } from 'node:os';
import { readHardware } from './hardware.ts';
import type { Facts } from './system.ts';
import { machineTimezone } from './timezone.ts';

/** Facts as JSON are never longer than this. */
export const maxFactsBytes = 8192;

/** `timezone` answers the machine's zone; schedules that follow each device's own go by it. */
export function createFacts(timezone: () => Promise<string> = machineTimezone): Facts {
  let hardware: Record<string, unknown> | undefined;
  return {
    async collect() {
      // Does not change while the machine is up.
      hardware ??= readHardware();
      return bounded({
        hostname: hostname(),
        timezone: await timezone(),
        ...hardware,
        kernel: release(),
        architecture: arch(),
        cpu: { model: cpus()[0]?.model ?? 'unknown', count: availableParallelism() },
        memory: { totalBytes: totalmem() },
        interfaces: interfaces(),
      });
    },
  };
}

function interfaces(): { name: string; mac: string; addresses: string[] }[] {
  return Object.entries(readInterfaces())
    .filter(([name]) => name !== 'lo')
    .map(([name, addresses = []]) => ({
      name,
      mac: addresses[0]?.mac ?? '',
      addresses: addresses.map(({ cidr, address }) => cidr ?? address),
    }));
}

/** A sandbox without AF_NETLINK makes Node throw. */
function readInterfaces(): ReturnType<typeof networkInterfaces> {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}

/** A router can have thousands of interfaces: as many as fit are told, and how many were left out. */
export function bounded<Told extends { interfaces: unknown[] }>(facts: Told): Record<string, unknown> {
  let told: Record<string, unknown> = facts;
  for (let keep = facts.interfaces.length; size(told) > maxFactsBytes && keep > 0; ) {
    keep = Math.floor(keep / 2);
    told = {
      ...facts,
      interfaces: facts.interfaces.slice(0, keep),
      interfacesLeftOut: facts.interfaces.length - keep,
    };
  }
  return told;
}

const size = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
