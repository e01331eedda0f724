import { type Check, type Unit, UnitCommand } from '../../shared/device-profile.ts';
import type { CheckContext } from './checks.ts';
import { hostAddresses } from './host-addresses.ts';
import type { CommandPlace } from './machine.ts';
import { joinTexts } from './unit-commands.ts';

const maxTargets = 64;
const maxSearched = 1_048_576;

/** Values of `{each}` and `{2}` for each run of a check; undefined when it is run once. */
export async function targetsOf(
  unit: Unit,
  check: Check,
  place: CommandPlace,
  context: CheckContext,
): Promise<Record<string, string>[] | undefined> {
  const { targets } = check;
  if (targets === undefined) return undefined;
  const text = targets.argv
    ? await outputOf(targets.argv, check, place, context)
    : joinTexts(context.texts.get(unit.name)?.after ?? []);
  const matches = [...text.slice(0, maxSearched).matchAll(new RegExp(targets.match, 'gmu'))];
  const found = matches.map(([, each = '', second = '']) => ({ each, '2': second }));
  const named = found.length > 0 ? found : targets.otherwise.map((each) => ({ each, '2': '' }));
  const all = targets.addresses ? await withoutWildcards(named, place, context) : named;
  const unique = new Map(all.map((values) => [`${values.each}\n${values['2']}`, values]));
  return [...unique.values()].slice(0, maxTargets);
}

async function outputOf(
  argv: string[],
  check: Check,
  place: CommandPlace,
  { machine, signal, workspace, scratch }: CheckContext,
): Promise<string> {
  if (check.if_program !== undefined && !(await machine.hasProgram(check.if_program))) return '';
  const options = { signal, ...(workspace ? { workspace } : {}), ...(scratch ? { scratch } : {}) };
  const command = UnitCommand.parse({ argv, timeout_s: check.timeout_s });
  return (await machine.run(command, place, options)).stdout;
}

type Target = { each: string; '2': string };

const wildcards: Record<string, 4 | 6> = { '0.0.0.0': 4, '*': 4, '::': 6, '::0': 6 };
const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

async function withoutWildcards(
  targets: Target[],
  place: CommandPlace,
  context: CheckContext,
): Promise<Target[]> {
  const host = await hostAddresses(place, context);
  const all = targets.flatMap((target) => {
    const family = wildcards[target.each];
    if (family === undefined) return [target];
    const own = host.filter((one) => one.family === family && one.scope !== 'link');
    return own.map(({ address }) => ({ ...target, each: address }));
  });
  const beyond = all.filter(({ each }) => !isLoopback(each));
  return beyond.length > 0 ? beyond : all;
}
