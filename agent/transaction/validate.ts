import type { Candidate } from './candidate.ts';
import { runChecks } from './checks.ts';
import type { StepLog } from './evidence.ts';
import { rejected } from './sync-error.ts';

/** Every validator of the units that change, in a view where the candidate lies at its real paths. */
export async function validate({ touched, checks }: Candidate, log: StepLog): Promise<void> {
  for (const { unit } of touched) {
    const outcome = await runChecks(unit, unit.validate, 'candidate', checks);
    log.commands(outcome.commands);
    if (!outcome.ok) throw rejected('rejected_validate', outcome.message);
  }
  log.message = `the validators of ${namesOf(touched)} accept it`;
}

export const namesOf = (touched: Candidate['touched']): string =>
  touched.map(({ unit }) => unit.name).join(', ');
