import { RE2JS } from 're2js';
import { AppError } from '../../shared/errors.ts';

/**
 * A test for whole names. RE2 syntax: matching takes time linear in the name, so no pattern of a caller can hold the controller.
 * Throws `bad_request` for a pattern that is none.
 */
export function namePattern(pattern: string): (name: string) => boolean {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (cause) {
    const told = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('bad_request', `${pattern} is not a valid regular expression: ${told}`, { cause });
  }
  return (name) => compiled.matcher(name).matches();
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
