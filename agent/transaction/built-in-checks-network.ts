import ipaddr from 'ipaddr.js';
import type { Captured } from './built-in-checks.ts';
import type { CheckContext } from './checks.ts';
import { hostAddresses, hostInterfaces } from './host-addresses.ts';
import type { CommandPlace } from './machine.ts';

/** Why a list of addresses or prefixes cannot be read, or undefined. */
export function addressProblem({ path, value }: Captured): string | undefined {
  const bad = value.split(/[\s,]+/).find((one) => one !== '' && parsePrefix(one) === undefined);
  return bad === undefined ? undefined : `${path}: ${bad} is no address`;
}

/** The first address (or name of an interface) that the host has not, and that the candidate does not give to it. */
export async function addressesThere(
  found: Captured[],
  place: CommandPlace,
  context: CheckContext,
): Promise<string | undefined> {
  if (found.length === 0) return undefined;
  const names = new Set(await interfaceNames(place, context));
  const own = new Set((await networks(place, context)).map(({ address }) => address.toString()));
  for (const { path, value } of found) {
    for (const one of value.split(/[\s,]+/).filter(Boolean)) {
      const bare = one.replace(/^\[|\].*$|[@%].*$/g, '').replace(/\/\d+$/, '');
      const address = parseAddress(bare);
      if (address === undefined ? names.has(bare) || bare === '*' : isAny(address)) continue;
      if (address === undefined) return `${path}: ${one} is neither an address nor an interface of this host`;
      if (isLoopback(address) || own.has(address.toString())) continue;
      return `${path}: ${bare} is no address of this host${place === 'host' ? '' : ', and the candidate does not make it one'}`;
    }
  }
  return undefined;
}

/** The first name of an interface that the host has not, and that the candidate does not bring. */
export async function interfacesThere(
  found: Captured[],
  place: CommandPlace,
  context: CheckContext,
): Promise<string | undefined> {
  if (found.length === 0) return undefined;
  const names = await interfaceNames(place, context);
  for (const { path, value } of found) {
    const missing = value
      .split(/[\s,]+/)
      .map((one) => one.replace(/^["']|["']$/g, ''))
      .find((name) => name !== '' && !names.some((known) => matches(name, known)));
    if (missing !== undefined) return `${path}: this host has no interface ${missing}`;
  }
  return undefined;
}

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

/** `start,end|mode[,netmask[,broadcast]][,lease]`, after any tags. */
export async function dhcpRangesProblem(
  found: Captured[],
  place: CommandPlace,
  context: CheckContext,
): Promise<string | undefined> {
  if (found.length === 0) return undefined;
  const own = await networks(place, context);
  for (const { path, value } of found) {
    const parts = value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => !/^(tag|set|interface):/.test(part));
    const problem = rangeProblem(parts, own);
    if (problem !== undefined) return `${path}: dhcp-range ${value}: ${problem}`;
  }
  return undefined;
}

const modes = /^(static|proxy|ra-only|ra-names|ra-stateless|slaac|ra-advrouter|off-link|constructor:.+)$/;

function rangeProblem([first = '', second = '', ...rest]: string[], own: Network[]): string | undefined {
  const start = parseAddress(first);
  if (start === undefined) return `${first || 'nothing'} is no address`;
  const end = modes.test(second) ? start : parseAddress(second);
  if (end === undefined) return `expected an end address or a mode, found ${second || 'nothing'}`;
  if (start.kind() !== end.kind()) return 'start and end are of different families';
  if (compare(start, end) > 0) return `${second} comes before ${first}`;
  const options = [second, ...rest];
  if (options.some((one) => one.startsWith('constructor:')) || start.kind() === 'ipv6') return undefined;
  if (options.some((one) => one !== second && parseAddress(one) !== undefined)) return undefined; // a netmask: for a relay
  const within = own.some((network) => holds(network, start) && holds(network, end));
  return within ? undefined : 'no interface of this host is in that network';
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;
interface Network {
  address: Address;
  bits: number;
}

const holds = ({ address, bits }: Network, other: Address): boolean =>
  address.kind() === other.kind() &&
  other.match([address, bits] as [ipaddr.IPv4, number] & [ipaddr.IPv6, number]);

const compare = (left: Address, right: Address): number =>
  Buffer.compare(Buffer.from(left.toByteArray()), Buffer.from(right.toByteArray()));

/** Of the host; before the apply also of the candidate. */
async function networks(place: CommandPlace, context: CheckContext): Promise<Network[]> {
  const host = await hostAddresses(place, context);
  return [...host.map(({ address, prefix }) => `${address}/${prefix}`), ...given('addresses', place, context)]
    .map(parsePrefix)
    .filter((network) => network !== undefined);
}

const interfaceNames = async (place: CommandPlace, context: CheckContext): Promise<string[]> => [
  ...(await hostInterfaces(place, context)),
  ...given('interfaces', place, context),
];

/** What the units of the candidate give to the host. Once they are applied, the host must have it. */
function given(
  what: 'addresses' | 'interfaces',
  place: CommandPlace,
  { profile, texts }: CheckContext,
): string[] {
  if (place === 'host') return [];
  return profile.units.flatMap(({ name, gives }) => {
    const files = [...(texts.get(name)?.after ?? [])];
    const pattern = gives[what];
    const found =
      pattern === undefined
        ? []
        : files.flatMap(([, text]) =>
            [...text.matchAll(new RegExp(pattern, 'gmu'))].map(([, value = '']) => value),
          );
    if (what === 'addresses' || gives.interface_files === undefined)
      return found.flatMap((one) => one.split(/[\s,]+/));
    return [...found, ...files.map(([path]) => path.slice(path.lastIndexOf('/') + 1).replace(/\.conf$/, ''))];
  });
}

export function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  return ipaddr.IPv6.isValid(text) && text.includes(':') ? ipaddr.IPv6.parse(text) : undefined;
}

export function parsePrefix(text: string): Network | undefined {
  const [bare = '', bits, ...rest] = text.split('/');
  const address = parseAddress(bare);
  if (address === undefined || rest.length > 0) return undefined;
  const most = address.kind() === 'ipv4' ? 32 : 128;
  if (bits === undefined) return { address, bits: most };
  if (/^\d{1,3}$/.test(bits) && Number(bits) <= most) return { address, bits: Number(bits) };
  return undefined;
}

const isAny = (address: Address): boolean => address.range() === 'unspecified';
const isLoopback = (address: Address): boolean => address.range() === 'loopback';
