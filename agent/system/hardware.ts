import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the machine is, as far as its files tell. Read by itself: a library for it keeps 10 MiB of an idle agent and starts a dozen programs. */
export function readHardware(root = '/'): Record<string, unknown> {
  const read = (path: string): string => textOf(join(root, path));
  const manufacturer = read('sys/class/dmi/id/sys_vendor');
  const model = existsSync(join(root, '.dockerenv'))
    ? 'Docker Container'
    : read('sys/class/dmi/id/product_name') || read('proc/device-tree/model');
  const serial = read('sys/class/dmi/id/product_serial') || read('proc/device-tree/serial-number');
  const named = osRelease(read('etc/os-release') || read('usr/lib/os-release'));
  return {
    system: {
      manufacturer: short(manufacturer),
      model: short(model),
      // Only root may read it.
      serial: short(serial || '-'),
      virtual: isVirtual(`${manufacturer} ${model}`, read('proc/cpuinfo')),
    },
    os: {
      platform: process.platform,
      distribution: short(named['NAME'] ?? 'unknown'),
      release: short(named['VERSION_ID'] ?? 'unknown'),
      codename: short(named['VERSION_CODENAME'] ?? ''),
    },
  };
}

/** A machine of another machine says so to its processor's user, or in its name. */
const isVirtual = (name: string, cpuinfo: string): boolean =>
  /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo) ||
  /qemu|kvm|vmware|virtualbox|xen|bochs|parallels|virtual machine|amazon ec2|openstack/i.test(name);

function osRelease(text: string): Record<string, string> {
  const lines = text.matchAll(/^([A-Z_]+)=(["']?)(.*)\2$/gm);
  return Object.fromEntries([...lines].map(([, name = '', , value = '']) => [name, value]));
}

/** Empty when it is not there, or not for this user. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').replaceAll('\0', '').trim();
  } catch {
    return '';
  }
}

const short = (text: string): string => text.slice(0, 128);
