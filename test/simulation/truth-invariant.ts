import type { TaskState } from '../../shared/task-state.ts';
import { traitsOf } from '../../shared/task-types/task-type.ts';
import { untrueTransaction } from './transaction-invariant.ts';
import type { Execution, Ledger, MachineEvent, SeenTask } from './ledger.ts';

/** A task as the controller shows it in the end. */
export interface FinalRow {
  id: string;
  status: TaskState;
  errorCode: string | null;
  errorMessage: string | null;
  /** JSON text. */
  result: string | null;
  timeoutMs: number;
  cancelRequestedAt: number | null;
}

interface Facts {
  task: SeenTask;
  row: FinalRow;
  ledger: Ledger;
  executions: Execution[];
  last: Execution | undefined;
  /** What its machine went through after the task was started and before the end was shown. */
  meanwhile: MachineEvent[];
}

/** What the shown end of a task claims and the ledger does not bear out. */
export function untruths(task: SeenTask, row: FinalRow, ledger: Ledger): string[] {
  const executions = ledger.executionsOf(task);
  const shownAt = task.moves.at(-1)?.order ?? 0;
  const startedAt = task.moves.find(({ to }) => to === 'IN_PROGRESS')?.order ?? 0;
  const facts: Facts = {
    task,
    row,
    ledger,
    executions,
    last: executions.at(-1),
    meanwhile: ledger
      .machineEvents(task.deviceId)
      .filter(({ order }) => order > (executions[0]?.order ?? startedAt) && order < shownAt),
  };
  if (task.type === 'SYNC') {
    const untrue = untrueTransaction(task, row, ledger);
    if (untrue.length > 0) return untrue;
  }
  switch (task.state) {
    case 'COMPLETED':
      return unproven(facts);
    case 'FAILED':
      return failedUntruly(facts);
    case 'CANCELLED':
      return cancelledUntruly(facts);
    case 'EXPIRED':
      return executions.length > 0 ? ['was executed'] : [];
    default:
      return [];
  }
}

function unproven({ task, row, last, meanwhile }: Facts): string[] {
  const result = JSON.parse(row.result ?? '{}') as Record<string, unknown>;
  const happened = (what: MachineEvent['what'], bootId?: unknown): boolean =>
    meanwhile.some((event) => event.what === what && (bootId === undefined || event.bootId === bootId));

  switch (task.type) {
    case 'SCRIPT':
      return last?.exits.at(-1) === 0 && last.end?.how === 'returned'
        ? []
        : ['has no process that ended with exit code 0'];
    case 'REBOOT':
      if (result['boot_id'] === result['previous_boot_id']) return ['names the same boot id twice'];
      return happened('booted', result['boot_id']) ? [] : ['did not boot after it was started'];
    case 'RESTART':
      return happened('agent started', last?.bootId) ? [] : ['has no new agent on the same boot'];
    case 'SYNC':
      return []; // see untrueTransaction
    case 'SHUTDOWN':
      return happened('went down') || last?.verbs.includes('powerOff, ignored') ? [] : ['did not go down'];
    default:
      return last?.end?.how === 'returned' ? [] : ['has no execution that came to its end'];
  }
}

/** Error codes by which a device declines a task: in a world without liars none of these must come up. */
const impossibleRefusals = new Set([
  'policy',
  'bad_parameters',
  'unknown_type',
  'bad_signature',
  'wrong_device',
  'replayed',
  'internal',
]);

function failedUntruly(facts: Facts): string[] {
  const { row, last, meanwhile, ledger, task } = facts;
  const code = row.errorCode ?? '';
  if (impossibleRefusals.has(code)) return [`says ${code}: ${row.errorMessage}`];
  switch (code) {
    case '':
      return ['has no error code'];
    case 'lost_by_device':
      return ledger
        .machineEvents(task.deviceId)
        .some(
          ({ what, order }) =>
            (what === 'wiped' || what === 'restored') && order > (task.moves[0]?.order ?? 0),
        )
        ? []
        : ['says lost_by_device, and the device lost nothing'];
    case 'interrupted':
      return meanwhile.some(({ what }) => what === 'agent died' || what === 'agent stops')
        ? []
        : ['says interrupted, and its agent lived on'];
    case 'exit_code':
      return (last?.exits.at(-1) ?? 0) !== 0 ? [] : ['says exit_code, and no process failed'];
    case 'timed_out':
      return timedOutEarly(facts);
    case 'not_rebooted':
    case 'still_up':
      return last?.end &&
        meanwhile.some(({ what, order }) => what === 'booted' && order < (last.end?.at ?? 0))
        ? [`says ${code}, and it booted`]
        : [];
    default:
      return [];
  }
}

function timedOutEarly({ task, row, ledger }: Facts): string[] {
  const startedAt = task.moves.find(({ to }) => to === 'IN_PROGRESS')?.at ?? 0;
  const tookMs = (task.moves.at(-1)?.at ?? 0) - startedAt;
  return !ledger.controllerClockTurned && tookMs < row.timeoutMs
    ? [`says timed_out after ${tookMs} of ${row.timeoutMs} ms`]
    : [];
}

function cancelledUntruly({ task, row, executions, last, meanwhile }: Facts): string[] {
  const wasRunning = task.moves.some(({ to }) => to === 'IN_PROGRESS');
  if (!wasRunning) return executions.length > 0 ? ['was executed'] : [];
  if (row.cancelRequestedAt === null) return ['was stopped without a request'];
  if (executions.length > 0 && !traitsOf(task.type).canStop) return ['cannot be stopped'];
  const diedLater = meanwhile.some(
    ({ what, order }) => what === 'agent died' && order > (last?.end?.at ?? 0),
  );
  return last?.end?.how === 'returned' && !diedLater ? ['came to its own end'] : [];
}
