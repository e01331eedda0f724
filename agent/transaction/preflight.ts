import type { Unit } from '../../shared/device-profile.ts';
import type { Candidate } from './candidate.ts';
import { type ChecksResult, type CheckContext, recordExpected, runChecks, runCommands } from './checks.ts';
import type { StepLog } from './evidence.ts';
import type { Scratch, Workspace } from './machine.ts';
import { rejected } from './sync-error.ts';
import type { TransactionProbe } from './transaction-parts.ts';

const connectMs = 10_000;

/**
 * Loads the candidate in a scratch network namespace, opens a new connection to the controller from it, and starts the services from
 * nothing: before anything of the host is touched. Returns what the running state has to look like afterwards.
 */
export async function preflight(
  { touched, checks }: Candidate,
  { workspace, probe }: { workspace: Workspace; probe: TransactionProbe },
  log: StepLog,
): Promise<Map<string, string>> {
  const units = touched.map(({ unit }) => unit).filter(needsScratch);
  const expected = new Map<string, string>();
  if (units.length === 0) {
    log.message = 'no unit that changes has anything to be tried beforehand';
    return expected;
  }
  const { signal, machine } = checks;
  await using scratch = await machine.openScratch(workspace, { controller: probe.address, signal });
  const within = { ...checks, scratch };
  const accept = (outcome: ChecksResult): void => {
    log.commands(outcome.commands);
    if (!outcome.ok) throw rejected('rejected_preflight', outcome.message);
  };

  const reach = await connectThrough(units, { scratch, within, accept });
  for (const unit of units) {
    const outcome = await recordExpected(unit, within);
    accept(outcome);
    for (const [key, text] of outcome.expected) expected.set(key, text);
  }
  for (const unit of units) accept(await runChecks(unit, unit.cold_check, 'scratch', within));
  log.message = reach;
  return expected;
}

const needsScratch = ({ preflight: load, cold_check, verify }: Unit): boolean =>
  load.length > 0 ||
  cold_check.length > 0 ||
  verify.some((check) => !('built_in' in check) && check.expect.same_in_scratch);

/** A new connection with the candidate loaded. Without it first: a scratch namespace that cannot connect anyway proves nothing. */
async function connectThrough(
  units: Unit[],
  {
    scratch,
    within,
    accept,
  }: { scratch: Scratch; within: CheckContext; accept: (outcome: ChecksResult) => void },
): Promise<string> {
  const loading = units.filter((unit) => unit.preflight.length > 0);
  if (loading.length === 0) return `${units.map(({ name }) => name).join(', ')} came up from nothing`;
  const before = await scratch.connect(connectMs, within.signal);
  if (!before.ok) {
    throw rejected(
      'rejected_preflight',
      `The scratch network does not reach the controller even without the candidate: ${before.error ?? 'no answer'}`,
    );
  }
  for (const unit of loading) accept(await runCommands(unit, unit.preflight, 'scratch', within));
  const after = await scratch.connect(connectMs, within.signal);
  if (after.ok) return `with the candidate loaded a new connection took ${Math.round(after.ms)} ms`;
  throw rejected(
    'rejected_preflight',
    `With the candidate loaded, a new connection to the controller fails: ${after.error ?? 'no answer'}`,
  );
}
