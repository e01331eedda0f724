import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { AppError } from '../../shared/errors.ts';

/** As `dns.lookup` with `all`. */
export type Resolve = (
  host: string,
  options: { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Where webhooks may go. */
export interface AddressRules {
  /** Also loopback, private, link-local and other addresses that are not of the internet. */
  allowPrivateNetworks: boolean;
  allowHttp: boolean;
  /** The system's resolver unless given. */
  resolve?: Resolve;
}

/** Only what everybody may reach: a URL must not make the controller ask its own network, or its cloud's metadata. */
const isPublic = (address: string): boolean => ipaddr.process(address).range() === 'unicast';

/** Throws `bad_request` for what is no URL that may be sent to; whatever its host resolves to is not looked at. */
export function checkUrl(text: string, { allowHttp, allowPrivateNetworks }: AddressRules): URL {
  const refuse = (problem: string): AppError =>
    new AppError('bad_request', `url is not valid: ${problem}`, { detail: { field: 'url' } });
  const url = URL.parse(text);
  if (url === null) throw refuse('expected an address such as https://example.org/hooks');
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) {
    throw refuse(
      `expected https, got ${url.protocol.slice(0, -1)}${url.protocol === 'http:' ? '; http needs webhooks.allow_http in the configuration' : ''}`,
    );
  }
  if (url.username !== '' || url.password !== '') throw refuse('expected no user and password in it');
  if (url.hash !== '') throw refuse('expected nothing after a #');
  const host = hostOf(url);
  if (ipaddr.isValid(host) && !allowPrivateNetworks && !isPublic(host)) throw refuse(whyNot(host));
  return url;
}

/** Throws `bad_request` when the host resolves to an address that is refused. One that does not resolve (yet) passes. */
export async function checkHost(url: URL, rules: AddressRules): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    guardedLookup(rules)(hostOf(url), { all: true }, (error) => {
      if (error instanceof RefusedAddress) {
        reject(
          new AppError('bad_request', `url is not valid: ${error.message}`, { detail: { field: 'url' } }),
        );
      } else resolve();
    });
  });
}

/** An address that webhooks are not sent to. */
class RefusedAddress extends Error {}

/**
 * Resolves for a connection that is being made, and hands it checked addresses only: a name that answers otherwise than it did
 * when it was given changes nothing. One refused address among several refuses the name.
 */
export const guardedLookup =
  ({ allowPrivateNetworks, resolve = systemLookup }: AddressRules): LookupFunction =>
  (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      const refused = allowPrivateNetworks ? undefined : addresses.find(({ address }) => !isPublic(address));
      if (refused) return callback(new RefusedAddress(`${host} is ${whyNot(refused.address)}`), '');
      if (options.all) return callback(null, addresses);
      const [first] = addresses;
      if (first === undefined) return callback(new Error(`${host} has no address`), '');
      callback(null, first.address, first.family);
    });
  };

export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1');

const whyNot = (address: string): string =>
  `${address}, which is not an address of the internet; webhooks.allow_private_networks in the configuration allows it`;
