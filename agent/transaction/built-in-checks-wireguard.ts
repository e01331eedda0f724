import { UnitCommand } from '../../shared/device-profile.ts';
import { parsePrefix } from './built-in-checks-network.ts';
import type { CheckContext } from './checks.ts';
import { hostAddresses } from './host-addresses.ts';
import type { CommandPlace } from './machine.ts';
import { parseWireguard, type WireguardConfig } from './wireguard-config.ts';

interface File {
  path: string;
  text: string;
}

/** Why a file is no configuration of WireGuard, or undefined. */
export function wireguardConfigProblem({ path, text }: File): string | undefined {
  const config = parseWireguard(text);
  if (typeof config === 'string') return `${path}: ${config}`;
  const keys = config.peers.flatMap((peer) => peer.get('publickey') ?? []);
  return new Set(keys).size === keys.length ? undefined : `${path}: two peers have the same PublicKey`;
}

/** The first file that is not what its interface runs with: keys, port, peers, what they may send, addresses. */
export async function wireguardRunningProblem(
  files: File[],
  place: CommandPlace,
  context: CheckContext,
): Promise<string | undefined> {
  const { machine, signal, workspace, scratch } = context;
  const options = { signal, ...(workspace ? { workspace } : {}), ...(scratch ? { scratch } : {}) };
  const addresses = await hostAddresses(place, context);
  for (const { path, text } of files) {
    const name = path.slice(path.lastIndexOf('/') + 1).replace(/\.conf$/, '');
    const wanted = parseWireguard(text);
    if (typeof wanted === 'string') return `${path}: ${wanted}`;
    const dump = await machine.run(UnitCommand.parse({ argv: ['wg', 'showconf', name] }), place, options);
    if (dump.exitCode !== 0) return `${name} does not run: ${dump.output.trim().slice(0, 200)}`;
    const found = parseWireguard(dump.stdout);
    if (typeof found === 'string') return `${name}: ${found}`;
    const own = addresses
      .filter((one) => one.interface === name)
      .map(({ address, prefix }) => `${address}/${prefix}`);
    const problem = differenceOf(wanted, found, own);
    if (problem !== undefined) return `${name} runs with another ${problem} than ${path} says`;
  }
  return undefined;
}

function differenceOf(wanted: WireguardConfig, found: WireguardConfig, own: string[]): string | undefined {
  const key = (config: WireguardConfig) => (config.interface.get('privatekey') ?? []).map(clamped)[0];
  if (key(wanted) !== key(found)) return 'key of its own';
  const port = wanted.interface.get('listenport')?.[0];
  if (port !== undefined && port !== found.interface.get('listenport')?.[0]) return 'ListenPort';
  if (peersText(wanted) !== peersText(found)) return 'set of peers';
  const has = new Set(own.map(canonical));
  return (wanted.interface.get('address') ?? []).every((one) => has.has(canonical(one)))
    ? undefined
    : 'address';
}

const peersText = ({ peers }: WireguardConfig): string =>
  peers
    .map((peer) => {
      const allowed = (peer.get('allowedips') ?? []).filter(Boolean).map(network).sort();
      return [peer.get('publickey'), peer.get('presharedkey') ?? '', ...allowed].join(' ');
    })
    .sort()
    .join('\n');

/** A private key as Curve25519 uses it, and as it is shown. */
function clamped(key: string): string {
  const bytes = Buffer.from(key, 'base64');
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  return bytes.toString('base64');
}

const canonical = (text: string): string => {
  const prefix = parsePrefix(text);
  return prefix ? `${prefix.address.toString()}/${prefix.bits}` : text;
};

/** With the bits beyond the prefix length cleared, as the kernel keeps it. */
function network(text: string): string {
  const prefix = parsePrefix(text);
  if (!prefix) return text;
  const bytes = prefix.address.toByteArray().map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefix.bits - index * 8));
    return byte & (0xff00 >> kept) & 0xff;
  });
  return `${bytes.join('.')}/${prefix.bits}`;
}
