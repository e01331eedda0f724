import { z } from 'zod';
import { UnitCommand } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import type { CommandPlace, RunOptions, TransactionMachine } from './machine.ts';

export interface HostAddress {
  interface: string;
  family: 4 | 6;
  address: string;
  prefix: number;
  scope: string;
}

const Links = z.array(
  z.object({
    ifname: z.string().default(''),
    addr_info: z
      .array(
        z.object({
          family: z.string(),
          local: z.string().default(''),
          prefixlen: z.number().default(0),
          scope: z.string().default(''),
        }),
      )
      .default([]),
  }),
);

type Context = RunOptions & { machine: TransactionMachine };

/** Names of the network interfaces. */
export const hostInterfaces = async (place: CommandPlace, context: Context): Promise<string[]> =>
  (await links(place, context)).map(({ ifname }) => ifname).filter((name) => name !== '');

/** Addresses of all network interfaces. */
export async function hostAddresses(place: CommandPlace, context: Context): Promise<HostAddress[]> {
  return (await links(place, context)).flatMap(({ ifname, addr_info }) =>
    addr_info.map(({ family, local, prefixlen, scope }) => ({
      interface: ifname,
      family: family === 'inet6' ? 6 : 4,
      address: local,
      prefix: prefixlen,
      scope,
    })),
  );
}

async function links(
  place: CommandPlace,
  { machine, signal, workspace, scratch }: Context,
): Promise<z.output<typeof Links>> {
  const command = UnitCommand.parse({ argv: ['ip', '-j', 'address'] });
  const options = { signal, ...(workspace ? { workspace } : {}), ...(scratch ? { scratch } : {}) };
  const { stdout, exitCode, output } = await machine.run(command, place, options);
  const parsed = Links.safeParse(exitCode === 0 ? jsonOf(stdout) : undefined);
  if (parsed.success) return parsed.data;
  throw new TaskError(
    'no_addresses',
    `ip -j address ended with ${exitCode}, expected a list: ${output.slice(0, 200)}`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
