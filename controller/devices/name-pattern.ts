import { RE2JS } from 're2js';
import { AppError } from '../../shared/errors.ts';

/** RE2 syntax: matching takes time linear in the name, so no pattern of a caller can hold the controller. */
function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (cause) {
    const told = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('bad_request', `${pattern} is not a valid regular expression: ${told}`, { cause });
  }
}

/** A test for whole names. Throws `bad_request` for a pattern that is none. */
export function namePattern(pattern: string): (name: string) => boolean {
  const compiled = compile(pattern);
  return (name) => compiled.matcher(name).matches();
}

/** What a filter of a list shows: the device of that exact name, else those in whose name the pattern occurs. */
export function searchNames<Named extends { name: string }>(
  devices: Named[],
  nameOrPattern: string,
): Named[] {
  const named = devices.filter(({ name }) => name === nameOrPattern);
  if (named.length > 0) return named;
  const compiled = compile(nameOrPattern);
  return devices.filter(({ name }) => compiled.matcher(name).find());
}

/** Devices of that exact name, else those whose whole name matches it as a pattern. */
export function matchNames<Named extends { name: string }>(
  devices: Named[],
  nameOrPattern: string,
): { exact: boolean; matched: Named[] } {
  const named = devices.find(({ name }) => name === nameOrPattern);
  if (named !== undefined) return { exact: true, matched: [named] };
  const matches = namePattern(nameOrPattern);
  return { exact: false, matched: devices.filter(({ name }) => matches(name)) };
}
