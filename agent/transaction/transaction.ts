import { TaskError } from '../../shared/errors.ts';
import type { SyncParameters, SyncResult } from '../../shared/task-types/sync.ts';
import { isUntouched } from '../../shared/transaction.ts';
import { apply, checkUnits } from './apply.ts';
import { askFirst } from './ask-first.ts';
import type { Candidate } from './candidate.ts';
import { Evidence, sentenceOf } from './evidence.ts';
import { noFindings, resultOf } from './findings.ts';
import { commandsBack, takeSnapshot } from './go-back.ts';
import { statesNow } from './live-files.ts';
import { prepare } from './prepare.ts';
import { awaitSteadyConnection } from './probe-controller.ts';
import { asRejection } from './sync-error.ts';
import type { TransactionContext, TransactionParts } from './transaction-parts.ts';
import {
  confirmedResult,
  dryRunDetail,
  dryRunResult,
  saveNote,
  type TransactionWork,
  undo,
} from './transaction-work.ts';

/** Long enough for a confirmation that waits for nothing. */
const unchangedSeconds = 60;

/**
 * Applies a desired configuration. Returns when the journal says CONFIRMED (or at the end of a dry run), and throws `TaskError` with the
 * result in every other case.
 *
 * - Until ARMED nothing of the machine is touched: whatever goes wrong ends as REJECTED.
 * - From ARMED on whatever goes wrong, also a wish to stop, ends in the way back at once; its verdict is what the journal says.
 * - The journal decides, not this process: the guard may have been faster.
 */
export async function runTransaction(
  id: string,
  parameters: SyncParameters,
  { parts, context }: { parts: TransactionParts; context: TransactionContext },
): Promise<SyncResult> {
  const evidence = new Evidence(context);
  const workspace = await evidence.step('admit', async (log) => {
    context.signal.throwIfAborted();
    const begun = await parts.machine.begin(id);
    log.message = `transaction ${id}`;
    return begun;
  });
  const work = { parameters, parts, context, workspace, evidence, findings: noFindings() };
  try {
    const candidate = await prepare(work);
    if (parameters.dry_run) return await endDryRun(work);
    await askFirst(candidate, work);
    const armed = await arm(candidate, work);
    if (candidate.touched.length > 0) await change(candidate, armed, work);
    return await confirm(candidate, work);
  } catch (error) {
    const last = (await workspace.journal()).at(-1)?.state;
    if (last === undefined || isUntouched(last)) throw await reject(error, work);
    return undo(work, reasonOf(error, context));
  }
}

interface Armed {
  /** Folder of what was kept of the running state. */
  snapshot: string | undefined;
  deadlineUptimeMs: number;
}

/** Prepares the way back and starts the guard. */
async function arm(candidate: Candidate, work: TransactionWork): Promise<Armed> {
  const { workspace, evidence, context } = work;
  const snapshot = await evidence.step('snapshot', async (log) => {
    const folder = await takeSnapshot(candidate, workspace, log);
    await workspace.append('SNAPSHOTTED', log.message);
    await saveNote(work);
    return folder;
  });
  return evidence.step('arm', async (log) => {
    const commands = await commandsBack(candidate);
    const deadlineSeconds = windowSeconds(candidate, work);
    context.signal.throwIfAborted();
    const { guard, deadlineUptimeMs } = await workspace.arm({ deadlineSeconds, commands });
    log.message = `${guard} undoes it in ${deadlineSeconds} s unless it is confirmed`;
    return { snapshot, deadlineUptimeMs };
  });
}

/** Changes the machine, and looks whether it still works and is still reached. */
async function change(candidate: Candidate, armed: Armed, work: TransactionWork): Promise<void> {
  const { workspace, evidence, parts, context } = work;
  await evidence.step('apply', (log) => apply(candidate, { workspace, snapshot: armed.snapshot }, log));
  await evidence.step('check', (log) => checkUnits(candidate, log));
  await evidence.step('probe', async (log) => {
    await workspace.append('PROBING', '');
    const { machine, probe, profile } = parts;
    const probing = { ...context, probe, settings: profile.probe, transaction: workspace.id, evidence };
    const leftMs = (): number => armed.deadlineUptimeMs - machine.uptimeMs();
    log.message = await awaitSteadyConnection(probing, leftMs);
  });
}

async function confirm(candidate: Candidate, work: TransactionWork): Promise<SyncResult> {
  const { workspace, evidence, parts, context, findings } = work;
  const { checked, live } = candidate;
  await evidence.step('confirm', async (log) => {
    findings.after = await statesNow(live.units, parts);
    await saveNote(work);
    context.signal.throwIfAborted();
    const verdict = await workspace.confirm({
      transaction: workspace.id,
      generation: checked.manifest.generation,
      content: checked.content,
      files: filesAfter(candidate, work),
      units: findings.after,
    });
    if (verdict !== 'confirmed') {
      throw new TaskError('guard_faster', 'The guard had begun the way back before the confirmation');
    }
    log.message = `generation ${checked.manifest.generation} stays`;
  });
  return confirmedResult(work);
}

/** What the next SYNC may delete when it does not name it. A restore takes nothing into its care: whatever it brings was not desired by a bundle. */
function filesAfter({ checked, live }: Candidate, { parameters }: TransactionWork): string[] {
  if (parameters.reason !== 'restore') return checked.manifest.files.map(({ path }) => path);
  const absent = new Set(checked.manifest.absent.map(({ path }) => path));
  return (live.confirmed?.files ?? []).filter((path) => !absent.has(path));
}

function windowSeconds({ touched }: Candidate, { parameters, parts }: TransactionWork): number {
  if (touched.length === 0) return unchangedSeconds;
  const asked = parameters.confirm_seconds ?? parts.profile.confirm_s;
  return Math.max(asked, ...touched.map(({ unit }) => unit.confirm_s ?? 0));
}

async function endDryRun(work: TransactionWork): Promise<SyncResult> {
  const { workspace, parameters, findings, evidence } = work;
  await saveNote(work);
  await workspace.append('REJECTED', dryRunDetail);
  return dryRunResult({ parameters, findings, evidence });
}

/** Ends a transaction that has touched nothing; says what the task has come to. */
async function reject(error: unknown, work: TransactionWork): Promise<unknown> {
  const { context, evidence, parameters, findings } = work;
  const step = evidence.failedStep ?? 'admit';
  const cause = context.signal.aborted ? (context.signal.reason as unknown) : asRejection(error, step);
  const code = cause instanceof TaskError ? cause.code : 'internal';
  const reason = sentenceOf(cause);
  await endUntouched(work, `${code}: ${code === 'internal' ? 'see the log of the agent' : reason}`);
  if (!(cause instanceof TaskError) || context.signal.aborted) return cause;
  const rejected_at = code.startsWith('rejected_') ? code.slice('rejected_'.length) : step;
  const end = { outcome: 'rejected', journal: 'REJECTED', on_disk: 'old', rejected_at, reason } as const;
  return new TaskError(code, reason, { cause, result: resultOf(parameters, findings, evidence, end) });
}

async function endUntouched(work: TransactionWork, detail: string): Promise<void> {
  const { workspace } = work;
  try {
    await saveNote(work);
    await workspace.append('REJECTED', detail);
  } catch {
    // A full disk, most likely: the guard has room of its own for its verdict.
    await workspace.rollBack(detail);
  }
}

/** A wish to stop has its code in front, so that it is known later that the configuration was not to blame. */
function reasonOf(error: unknown, { signal }: TransactionContext): string {
  if (!signal.aborted) return sentenceOf(error);
  const reason: unknown = signal.reason;
  return reason instanceof TaskError ? `${reason.code}: ${reason.message}` : sentenceOf(reason);
}
