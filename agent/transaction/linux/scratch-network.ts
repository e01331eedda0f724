import { isIPv6 } from 'node:net';
import { TaskError } from '../../../shared/errors.ts';
import { runTool } from '../../system/tool.ts';
import type { HostLink, HostNetwork, WayOut } from './scratch-host.ts';

/** A machine with very many interfaces (VLANs, containers): those beyond are left out, but never the way to the controller. */
const maxLinks = 256;
const maxAddressesOfLink = 256;
/** They travel as one argument of a program, of which the kernel takes 128 KiB. */
const maxLinesOfBatch = 500;

/** The two ends of the scratch network, by a process in each. */
export interface Ends {
  inside: number;
  outside: number;
}

/**
 * Gives the inner namespace the host's interfaces and addresses and its way to the controller. The far end of every
 * interface is in the outer one, which owns the addresses of the gateway and of the controller.
 */
export async function joinNetworks({ inside, outside }: Ends, network: HostNetwork): Promise<void> {
  const remote = network.ways.filter(({ kind }) => kind === 'remote');
  const wanted = new Set(network.ways.map(({ device }) => device));
  const links = network.links
    .filter(({ ifname }) => ifname !== 'lo' && /^[A-Za-z0-9._+@-]{1,15}$/.test(ifname))
    .toSorted((left, right) => Number(wanted.has(right.ifname)) - Number(wanted.has(left.ifname)))
    .slice(0, maxLinks);
  const peers = new Map(links.map(({ ifname }, index) => [ifname, `peer${index}`]));
  const lost = remote.find(({ device }) => !peers.has(device));
  if (lost)
    throw new TaskError('no_scratch', `The interface ${lost.device} cannot be copied: it is not in the list`);

  const cables = (some: HostLink[]) => some.map((link) => cableText(link, peers, outside));
  const needed = links.filter(({ ifname }) => wanted.has(ifname));
  const others = links.filter(({ ifname }) => !wanted.has(ifname)); // some names are taken in every namespace: tunl0, sit0
  await batch(inside, ['link set lo up', ...cables(needed)], 'strict');
  await batch(inside, cables(others), 'lenient');
  await batch(
    outside,
    ['link set lo up', ...[...peers.values()].map((peer) => `link set ${peer} up`)],
    'lenient',
  );
  await batch(inside, [...loopbackText(network.links), ...links.flatMap(addressText)], 'lenient');
  await batch(
    outside,
    remote.flatMap((way) => outerText(way, peers)),
    'lenient',
  ); // two ways may share a gateway
  await batch(inside, remote.map(routeText), 'strict');
}

function cableText(
  { ifname, mtu, link_type, address }: HostLink,
  peers: Map<string, string>,
  outside: number,
): string {
  const mac = link_type === 'ether' && address ? `address ${address} ` : '';
  return `link add ${ifname} mtu ${clamp(mtu)} ${mac}type veth peer name ${peers.get(ifname)} mtu ${clamp(mtu)} netns ${outside}`;
}

const clamp = (mtu: number): number => Math.min(Math.max(mtu, 1280), 65_535);

function addressText({ ifname, flags, addr_info }: HostLink): string[] {
  if (!flags.includes('UP')) return addr_info.length > 0 ? addressLines(ifname, addr_info) : [];
  return [`link set ${ifname} addrgenmode none`, `link set ${ifname} up`, ...addressLines(ifname, addr_info)];
}

/** Addresses that services have on lo besides the usual ones. */
const loopbackText = (links: HostLink[]): string[] =>
  links.filter(({ ifname }) => ifname === 'lo').flatMap(({ addr_info }) => addressLines('lo', addr_info));

const addressLines = (name: string, addresses: HostLink['addr_info']): string[] =>
  addresses
    .filter(({ local }) => local !== '')
    .slice(0, maxAddressesOfLink)
    .map(({ family, local, address, prefixlen, scope }) => {
      const peer = address === undefined ? `${local}/${prefixlen}` : `${local} peer ${address}/${prefixlen}`;
      const kind = family === 'inet6' ? ' nodad' : ` scope ${scope}`;
      return `address replace ${peer} dev ${name}${kind}`;
    });

/** The gateway and the controller answer at the far end of the interface, whatever the host's addresses there are. */
function outerText({ address, gateway, device }: WayOut, peers: Map<string, string>): string[] {
  const peer = peers.get(device) ?? '';
  const own = [...new Set([gateway ?? address, address])];
  return [
    ...own.map((one) =>
      isIPv6(one) ? `address add ${one}/128 dev ${peer} nodad` : `address add ${one}/32 dev ${peer}`,
    ),
    `route replace ${everything(address)} dev ${peer}`,
  ];
}

function routeText({ address, gateway, device, route }: WayOut): string {
  const to = route === 'default' ? everything(address) : route;
  if (gateway === undefined) return `route replace ${to} dev ${device}`;
  const family = isIPv6(gateway) && !isIPv6(address) ? 'inet6 ' : '';
  return `route replace ${to} via ${family}${gateway} dev ${device} onlink`;
}

/** `default`, in the family of the address. */
const everything = (address: string): string => (isIPv6(address) ? '::/0' : '0.0.0.0/0');

/** Commands of ip(8) in a namespace. `lenient`: what the namespace does not take is left out. */
async function batch(pid: number, lines: string[], how: 'strict' | 'lenient'): Promise<void> {
  const force = how === 'lenient' ? ['-force'] : [];
  const program = 'lines=$1; shift; printf %s "$lines" | exec "$@"';
  const argv = ['nsenter', `--net=/proc/${pid}/ns/net`, '--', 'ip', ...force, '-batch', '-'];
  for (let start = 0; start < lines.length; start += maxLinesOfBatch) {
    const text = lines.slice(start, start + maxLinesOfBatch).join('\n');
    const end = await runTool('sh', ['-c', program, 'sh', `${text}\n`, ...argv], { timeoutMs: 20_000 });
    if (how === 'lenient' || end?.exitCode === 0) continue;
    throw new TaskError('no_scratch', `The scratch network cannot be made: ${end?.stderr ?? 'no shell'}`);
  }
}
