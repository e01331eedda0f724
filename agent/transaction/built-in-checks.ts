import type { BuiltInCheck, Unit } from '../../shared/device-profile.ts';
import { matchesGlob } from '../../shared/glob.ts';
import { unreachable } from '../../shared/unreachable.ts';
import {
  addressProblem,
  addressesThere,
  dhcpRangesProblem,
  interfacesThere,
} from './built-in-checks-network.ts';
import { filesThere } from './built-in-checks-files.ts';
import { sshEntryProblem } from './built-in-checks-ssh.ts';
import { wireguardConfigProblem, wireguardRunningProblem } from './built-in-checks-wireguard.ts';
import type { CheckContext } from './checks.ts';
import type { CommandPlace } from './machine.ts';

/** What a pattern captured. */
export interface Captured {
  path: string;
  value: string;
}

const maxText = 1_048_576;
const maxCaptured = 10_000;

/** Why one of our own checks does not hold, or undefined. */
export async function runBuiltIn(
  unit: Unit,
  check: BuiltInCheck,
  place: CommandPlace,
  context: CheckContext,
): Promise<string | undefined> {
  const files = filesOf(unit, check, context);
  switch (check.built_in) {
    case 'must_contain':
      if (files.length === 0 || files.some(({ text }) => new RegExp(check.pattern, 'mu').test(text)))
        return undefined;
      return `expected a line with /${check.pattern}/ in ${files.map(({ path }) => path).join(', ')}`;
    case 'must_not_contain':
      return firstOf(captured(files, check), ({ path, value }) => `${path} must not contain ${value.trim()}`);
    case 'addresses_valid':
      return firstOf(captured(files, check), addressProblem);
    case 'addresses_exist':
      return addressesThere(captured(files, check), place, context);
    case 'interfaces_exist':
      return interfacesThere(captured(files, check), place, context);
    case 'files_exist':
      return filesThere(captured(files, check), place, context);
    case 'dhcp_ranges':
      return dhcpRangesProblem(captured(files, check), place, context);
    case 'wireguard_config':
      return firstOf(files, wireguardConfigProblem);
    case 'wireguard_running':
      return wireguardRunningProblem(files, place, context);
    case 'ssh_entry':
      return sshEntryProblem(place, context);
    default:
      return unreachable(check.built_in);
  }
}

/** The unit's files as they will be, without comments. */
function filesOf(
  unit: Unit,
  { files, comment }: BuiltInCheck,
  { texts }: CheckContext,
): { path: string; text: string }[] {
  return [...(texts.get(unit.name)?.after ?? [])]
    .filter(([path]) => files === undefined || matchesGlob(files, path))
    .map(([path, text]) => ({ path, text: withoutComments(text.slice(0, maxText), comment) }));
}

const withoutComments = (text: string, comment: string): string =>
  comment === ''
    ? text
    : text
        .split('\n')
        .map((line) => (line.trimStart().startsWith(comment) ? '' : line))
        .join('\n');

function captured(files: { path: string; text: string }[], { pattern, except }: BuiltInCheck): Captured[] {
  const leave = except === undefined ? undefined : new RegExp(except, 'u');
  return files
    .flatMap(({ path, text }) =>
      [...text.matchAll(new RegExp(pattern, 'gmu'))].map((match) => ({ path, value: match[1] ?? match[0] })),
    )
    .filter(({ value }) => !leave?.test(value))
    .slice(0, maxCaptured);
}

function firstOf<Value>(values: Value[], problem: (value: Value) => string | undefined): string | undefined {
  for (const value of values) {
    const found = problem(value);
    if (found !== undefined) return found;
  }
  return undefined;
}
