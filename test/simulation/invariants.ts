import type { Sqlite } from '../../shared/node/sqlite.ts';
import { canMove, isFinal } from '../../shared/task-state.ts';
import { traitsOf } from '../../shared/task-types/task-type.ts';
import type { Ledger, SeenTask } from './ledger.ts';
import { logProblems } from './log-invariant.ts';
import { questionProblems } from './question-invariant.ts';
import { overruns } from './rollout-invariant.ts';
import { brokenMachines, timesArmed } from './transaction-invariant.ts';
import { type FinalRow, untruths } from './truth-invariant.ts';

/** One broken promise. */
export interface Violation {
  invariant: string;
  problem: string;
}

export interface Evidence {
  ledger: Ledger;
  /** Database of the controller. */
  controller: Sqlite;
  /** Databases of the agents, by device id. */
  agents: Map<string, Sqlite>;
}

/** Checks every promise once everything is at rest. */
export function violations({ ledger, controller, agents }: Evidence): Violation[] {
  const found: Violation[] = ledger.bugs.map((problem) => ({ invariant: 'no bug shows', problem }));
  const rows = new Map(finalRows(controller).map((row) => [row.id, row]));
  for (const task of ledger.tasks.values()) {
    const row = rows.get(task.id);
    const say = (invariant: string, problems: string[]): void => {
      for (const problem of problems) {
        found.push({ invariant, problem: `${task.code} (${task.type} ${task.state}) ${problem}` });
      }
    };
    say('no task is lost', lost(task, row));
    say('states follow only allowed moves', wrongMoves(task));
    say('no task is executed before or after its time', wrongTimes(task, ledger));
    say('no task is executed twice', repeated(task, ledger));
    say('every move has its event', untold(task, controller));
    say(
      'every log line is present once or covered by a gap',
      logProblems(task, { ledger, controller, agent: agents.get(task.deviceId) }),
    );
    if (row) say('the state shown is true', untruths(task, row, ledger));
  }
  for (const execution of ledger.executions) {
    if (execution.code === undefined) {
      found.push({
        invariant: 'no task is executed before or after its time',
        problem: `${execution.type} was executed that the device does not hold`,
      });
    }
  }
  found.push(...wrongAnswers(ledger), ...brokenMachines(ledger));
  for (const problem of questionProblems(controller)) {
    found.push({ invariant: 'a question is asked and decided once, and told as it was', problem });
  }
  for (const problem of overruns(ledger, controller)) {
    found.push({ invariant: 'a rollout keeps its limits', problem });
  }
  for (const [deviceId, db] of agents) found.push(...leftBehind(deviceId, db));
  return found;
}

/** Tasks as the controller shows them in the end. */
const finalRows = (controller: Sqlite): FinalRow[] =>
  controller
    .prepare<[], FinalRow>(
      `SELECT id, status, error_code AS errorCode, error_message AS errorMessage, result,
         timeout_ms AS timeoutMs, cancel_requested_at AS cancelRequestedAt FROM main.tasks`,
    )
    .all();

/** An answer promises the tasks it names, and a request that is sent again makes none beside them. */
function wrongAnswers(ledger: Ledger): Violation[] {
  const invariant = 'an answered request made its tasks, once';
  const tasks = [...ledger.tasks.values()];
  const codes = new Set(tasks.map(({ code }) => code));
  const missing = ledger.promised.flatMap((answer) =>
    answer.codes
      .filter((code) => !codes.has(code))
      .map((code) => `${answer.request} named ${code}, which is nowhere`),
  );
  const tags = tasks.flatMap(({ deviceId, tag }) =>
    tag === undefined ? [] : [`${deviceId} has tag ${tag} twice`],
  );
  const twice = tags.filter((tag, index) => tags.indexOf(tag) < index);
  return [...missing, ...twice].map((problem) => ({ invariant, problem }));
}

function lost(task: SeenTask, row: FinalRow | undefined): string[] {
  if (task.deleted || !row) return ['is gone'];
  if (row.status !== task.state) return [`is stored as ${row.status}`];
  return isFinal(task.state) ? [] : ['did not end'];
}

function wrongMoves(task: SeenTask): string[] {
  return task.moves.flatMap(({ from, to }, index) => {
    const before = task.moves[index - 1]?.to ?? null;
    if (from !== before) return [`moved from ${from} although it was ${before}`];
    return canMove(from, to) ? [] : [`moved from ${from ?? 'nothing'} to ${to}`];
  });
}

function wrongTimes(task: SeenTask, ledger: Ledger): string[] {
  const executions = ledger.executionsOf(task);
  const early = executions.filter(
    ({ shownState }) => shownState === undefined || ['SCHEDULED', 'PENDING'].includes(shownState),
  );
  const late = executions.filter(({ shownState }) => shownState === 'CANCELLED' || shownState === 'EXPIRED');
  const neverStarted = !task.moves.some(({ to }) => to === 'IN_PROGRESS');
  return [
    ...early.map(({ shownState }) => `was executed while it was shown ${shownState ?? 'nowhere'}`),
    ...late.map(({ shownState }) => `was executed after it was shown ${shownState}`),
    ...(neverStarted && executions.length > 0 ? ['was executed although it never was IN_PROGRESS'] : []),
  ];
}

function repeated(task: SeenTask, ledger: Ledger): string[] {
  const executions = ledger.executionsOf(task);
  if (executions.length < 2) return [];
  if (task.type === 'SYNC') return timesArmed(task, ledger) < 2 ? [] : ['touched its machine twice'];
  const mayRerun = traitsOf(task.type).rerun || task.idempotent;
  if (!mayRerun) return [`was executed ${executions.length} times`];
  const lives = new Set(executions.map(({ agentLife }) => agentLife));
  return lives.size < executions.length ? ['was executed twice by one process'] : [];
}

const eventOf: Record<string, string> = {
  SCHEDULED: 'task.created',
  PENDING: 'task.pending',
  IN_PROGRESS: 'task.started',
  COMPLETED: 'task.completed',
  FAILED: 'task.failed',
  CANCELLED: 'task.cancelled',
  EXPIRED: 'task.expired',
};

function untold(task: SeenTask, controller: Sqlite): string[] {
  const expected = task.moves.map(({ from, to }) => (from === null ? 'task.created' : eventOf[to])).join(' ');
  const told = controller
    .prepare<[string], { type: string }>(
      `SELECT type FROM events WHERE task_id = ? AND type IN ('task.created', 'task.pending', 'task.started',
         'task.completed', 'task.failed', 'task.cancelled', 'task.expired') ORDER BY cursor`,
    )
    .all(task.id)
    .map(({ type }) => type)
    .join(' ');
  return told === expected ? [] : [`has the events ${told} instead of ${expected}`];
}

function leftBehind(deviceId: string, db: Sqlite): Violation[] {
  const invariant = 'nothing is left on a device at rest';
  const held = db
    .prepare<[], { code: string; state: string }>(`SELECT code, state FROM tasks WHERE state <> 'finished'`)
    .all();
  const outbox = db
    .prepare<[], { seq: number; kind: string; code: string }>('SELECT seq, kind, code FROM outbox')
    .all();
  return [
    ...held.map(({ code, state }) => ({ invariant, problem: `${deviceId} still holds ${code}, ${state}` })),
    ...outbox.map(({ seq, kind, code }) => ({
      invariant,
      problem: `${deviceId} has not delivered row ${seq}, ${kind} of ${code}`,
    })),
  ];
}
