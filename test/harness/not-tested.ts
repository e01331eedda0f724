import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Says loudly, for people and for CI, what a test cannot show on this machine; returns whether there is such a reason. */
export function notTested(what: string, why: string | undefined): boolean {
  if (why === undefined) return false;
  process.stderr.write(`\n*** NOT TESTED: ${what}. ${why} ***\n\n`);
  return true;
}

/** Why a program of the system cannot be used, or undefined. */
export const lacks = (program: string): string | undefined =>
  (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program)))
    ? undefined
    : `This machine has no ${program}`;
