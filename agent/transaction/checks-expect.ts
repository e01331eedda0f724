import type { Check } from '../../shared/device-profile.ts';
import type { CommandRecord } from './machine.ts';

/** Patterns come from profiles, which are trusted; text does not. */
const maxSearched = 65_536;

/** Why an output is not what the check expects, or undefined. */
export function judge(
  { expect }: Check,
  record: CommandRecord,
  inScratch: string | undefined,
): string | undefined {
  const { output, not_output, same_in_scratch, ignore } = expect;
  const text = record.output.slice(0, maxSearched);
  if (output !== undefined && !new RegExp(output, 'mu').test(text)) return `expected output with /${output}/`;
  const unwanted = not_output === undefined ? undefined : new RegExp(not_output, 'mu').exec(text)?.[0];
  if (unwanted !== undefined) return `expected no output such as ${unwanted.trim().slice(0, 200)}`;
  if (!same_in_scratch) return undefined;
  if (inScratch === undefined) return 'nothing is known of how it looks in the scratch namespace';
  return firstDifference(without(inScratch, ignore), without(record.stdout, ignore));
}

const without = (text: string, ignore: string[]): string =>
  ignore.reduce((left, pattern) => left.replace(new RegExp(pattern, 'gmu'), ''), text);

function firstDifference(expected: string, found: string): string | undefined {
  if (expected === found) return undefined;
  let at = 0;
  while (expected[at] === found[at]) at += 1;
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 40), at + 80));
  return `differs from the candidate at character ${at}: expected ${around(expected)}, found ${around(found)}`;
}
