import { TaskError } from '../../shared/errors.ts';
import { atOnce } from './at-once.ts';
import type { Candidate } from './candidate.ts';
import { type ChecksResult, runChecks, runCommands } from './checks.ts';
import { keepingRuntime } from './keep-runtime.ts';
import type { StepLog } from './evidence.ts';
import type { Workspace } from './machine.ts';
import { namesOf } from './validate.ts';

/** The guard takes several files with one look at the journal. */
const installsAtOnce = 100;

/** Puts the files in place and lets the services read them, unit after unit. The first failure ends it. */
export async function apply(
  { touched, checks }: Candidate,
  { workspace, snapshot }: { workspace: Workspace; snapshot: string | undefined },
  log: StepLog,
): Promise<void> {
  let kept = '';
  for (const { unit, written, removed } of touched) {
    checks.signal.throwIfAborted();
    await workspace.append('APPLYING', unit.name);
    await atOnce(installsAtOnce, written, (path) => workspace.install(path));
    for (const path of removed) await workspace.remove(path);
    const context = { ...checks, ...(snapshot === undefined ? {} : { snapshot }) };
    kept += await keepingRuntime(unit, { checks, workspace, log }, async () => {
      accept(await runCommands(unit, unit.apply, 'host', context), log);
    });
  }
  await workspace.append('APPLIED', namesOf(touched));
  log.message = `${namesOf(touched)} read the new files${kept}`;
}

/** The services do with the new files what their profile expects. */
export async function checkUnits({ touched, checks }: Candidate, log: StepLog): Promise<void> {
  for (const { unit } of touched) accept(await runChecks(unit, unit.verify, 'host', checks), log);
  log.message = `${namesOf(touched)} work as expected`;
}

function accept({ ok, message, commands }: ChecksResult, log: StepLog): void {
  log.commands(commands);
  if (!ok) throw new TaskError('unit_failed', message);
}
