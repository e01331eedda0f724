import { lookup } from 'node:dns/promises';
import { connect, isIP, isIPv6 } from 'node:net';
import { z } from 'zod';
import { TaskError } from '../../../shared/errors.ts';
import { runTool } from '../../system/tool.ts';

const Address = z.object({
  family: z.enum(['inet', 'inet6']).catch('inet'),
  local: z.string().default(''),
  /** The far end of a point-to-point connection. */
  address: z.string().optional(),
  prefixlen: z.number().default(32),
  scope: z.string().default('global'),
});

const Link = z.object({
  ifname: z.string(),
  flags: z.array(z.string()).default([]),
  mtu: z.number().default(1500),
  link_type: z.string().default(''),
  address: z.string().optional(),
  addr_info: z.array(Address).default([]),
});
export type HostLink = z.output<typeof Link>;

const Route = z.object({
  type: z.string().optional(),
  dst: z.string().default('default'),
  gateway: z.string().optional(),
  /** The gateway of the other family. */
  via: z.object({ host: z.string() }).optional(),
  dev: z.string().optional(),
  prefsrc: z.string().optional(),
});

/** One way to the controller, as this machine goes it now. */
export interface WayOut {
  address: string;
  /** `local`: the controller is on this machine. */
  kind: 'local' | 'remote';
  device: string;
  gateway?: string;
  /** The destination of the route that leads there, such as `default`. */
  route: string;
}

export interface HostNetwork {
  links: HostLink[];
  ways: WayOut[];
}

const maxAddresses = 4;
const answersWithinMs = 1000;

/** Interfaces and addresses of this machine, and how it reaches the controller. */
export async function readHostNetwork(controller: { host: string; port: number }): Promise<HostNetwork> {
  const [links, ways] = await Promise.all([ip(z.array(Link), ['address', 'show']), waysTo(controller)]);
  return { links, ways };
}

/** Of several addresses only those that answer now, if one does: rules cannot make worse what does not work anyway. */
async function waysTo({ host, port }: { host: string; port: number }): Promise<WayOut[]> {
  const all = isIP(host)
    ? [{ address: host }]
    : await lookup(host, { all: true }).catch((cause: unknown) => {
        throw new TaskError(
          'no_scratch',
          `The controller's name ${host} cannot be resolved: ${String(cause)}`,
          { cause },
        );
      });
  const found = await Promise.all(
    all.slice(0, maxAddresses).map(async ({ address }) => ({
      way: await wayTo(address),
      answers: all.length === 1 || (await answers(address, port)),
    })),
  );
  const answering = found.filter((one) => one.answers);
  const ways = (answering.length > 0 ? answering : found).flatMap(({ way }) => way ?? []);
  if (ways.length > 0) return ways;
  throw new TaskError('no_scratch', `This machine has no route to the controller ${host}`);
}

async function wayTo(address: string): Promise<WayOut | undefined> {
  const family = isIPv6(address) ? '-6' : '-4';
  const [taken] = await ip(z.array(Route), [family, 'route', 'get', address]).catch(() => []);
  if (taken?.dev === undefined) return undefined;
  if (taken.type === 'local' || taken.dev === 'lo') {
    return { address, kind: 'local', device: taken.dev, route: address };
  }
  const [matched] = await ip(z.array(Route), [family, 'route', 'get', 'fibmatch', address]).catch(() => []);
  const gateway = taken.gateway ?? taken.via?.host;
  return {
    address,
    kind: 'remote',
    device: taken.dev,
    route: matched?.dst ?? address,
    ...(gateway === undefined ? {} : { gateway }),
  };
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: answersWithinMs });
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket
      .on('connect', () => end(true))
      .on('timeout', () => end(false))
      .on('error', () => end(false));
  });
}

async function ip<Schema extends z.ZodType>(schema: Schema, args: string[]): Promise<z.output<Schema>> {
  const end = await runTool('ip', ['-json', ...args], { timeoutMs: 10_000 });
  if (end?.exitCode !== 0) {
    throw new TaskError(
      'no_scratch',
      `ip ${args.join(' ')} failed: ${end?.stderr ?? 'the program is missing'}`,
    );
  }
  return schema.parse(JSON.parse(end.stdout || '[]'));
}
