import { applianceUnavailable } from '../harness/appliance.ts';
import { lacks, notTested } from '../harness/not-tested.ts';

/** Says loudly why no appliance can be had; where one must be had, that is a failure. */
export function labMissing(what: string, programs: string[] = []): boolean {
  const needed = ['dpkg-deb', 'strip', 'ar', 'xz', ...programs];
  const why = applianceUnavailable() ?? needed.map(lacks).find((reason) => reason);
  if (why !== undefined && process.env['MUSTER_REQUIRE_LAB'] === '1') {
    throw new Error(`MUSTER_REQUIRE_LAB=1, and ${what} cannot be tested here: ${why}`);
  }
  return notTested(what, why);
}
