import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { enableUnit, writeInto } from '../../harness/appliance-root.ts';
import { MountedDisk } from './mounted-disk.ts';

/** What makes a copy of the image a machine of its own. */
export interface OwnDisk {
  name: string;
  address: string;
  /** Of the network it is in; also its default gateway. */
  hub: string;
  units?: string[];
  files?: Record<string, string>;
  packages?: string[];
}

/** A copy that takes as much room as its content, as it is at this moment: nobody writes to the original meanwhile. */
export function copyDisk(original: string, copy: string): void {
  execFileSync('cp', ['--sparse=always', '--reflink=auto', original, copy]);
}

/** Gives a disk that nobody uses yet its name, its network and its packages. */
export async function makeOwn(file: string, own: OwnDisk): Promise<void> {
  const { name, address, hub, units = [], files = {}, packages = [] } = own;
  await using mounted = await MountedDisk.open(file);
  if (packages.length > 0) await mounted.install(packages);
  const card = [
    '[Match]\nName=eth0\n',
    `[Network]\nAddress=${address}/24\nGateway=${hub}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n`,
  ];
  const all: Record<string, string> = {
    '/etc/machine-id': `${randomBytes(16).toString('hex')}\n`,
    '/etc/hostname': `${name}\n`,
    '/etc/hosts': `127.0.0.1 localhost\n127.0.1.1 ${name}\n${hub} hub\n`,
    '/etc/systemd/network/card.network': card.join('\n'),
    ...files,
  };
  for (const [path, text] of Object.entries(all)) writeInto(mounted.path, path, text);
  for (const unit of units) enableUnit(mounted.path, unit);
}
