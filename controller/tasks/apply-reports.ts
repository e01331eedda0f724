import type { Instant } from '../../shared/clock.ts';
import type { Report } from '../../shared/protocol/report.ts';
import { isFinal } from '../../shared/task-state.ts';
import type { OnlineLink } from '../devices/online.ts';
import type { NewLogLine } from '../store/logs.ts';
import type { StoreTables } from '../store/store.ts';
import type { TaskMove } from '../store/tasks.ts';
import type { Changes } from './changes.ts';
import { eventOfMove, eventsOfMoves, taskKey } from './moves.ts';
import { applyQuestions } from './apply-questions.ts';
import { letThrough } from './rollout-gate.ts';
import { type LogReport, sortReports, type SortedReports } from './sort-reports.ts';
import { applySyncEnds } from './sync-ends.ts';

export interface Delivery {
  link: OnlineLink;
  reports: Report[];
}

/**
 * Applies outbox rows of many devices.
 *
 * - A row is applied once: `appliedSeq` is raised in the same transaction, and rows not above it are left out.
 * - Accepts come before progress, progress before ends, whatever the order of the links.
 * - The first end of a task wins; one that changes nothing is kept as evidence when it says something else.
 */
export async function applyReports(
  tables: StoreTables,
  deliveries: Delivery[],
  changes: Changes,
  { now, monotonic, timeoutGraceMs }: { now: Instant; monotonic: number; timeoutGraceMs: number },
): Promise<void> {
  const { sorted, lastSeqs } = sortReports(deliveries);

  const answers = await applyAccepted(tables, sorted, changes, { now, timeoutGraceMs });
  if (sorted.progress.size > 0) {
    const moved = await tables.tasks.progress([...sorted.progress.values()], now);
    for (const move of moved) changes.events.push(progressEvent(move, sorted, now));
  }
  await applyLogs(tables, deliveries, sorted);
  await applyQuestions(tables, sorted, changes, now);
  await applyEnds(tables, sorted, changes, now);
  // Only what ends or never starts makes room; a start does not.
  for (const { deviceId } of sorted.endings.values()) changes.freedDevices.add(deviceId);
  for (const deviceId of answers.forget.keys()) changes.freedDevices.add(deviceId);
  await tables.devices.advance(
    [...lastSeqs].map(([link, seq]) => ({ deviceId: link.deviceId, storeId: link.storeId, seq })),
  );
  changes.afterCommit.push(() => answer(lastSeqs, answers, sorted, monotonic));
}

interface AcceptAnswers {
  moved: TaskMove[];
  start: Map<string, string[]>;
  forget: Map<string, string[]>;
  cancel: Map<string, string[]>;
}

async function applyAccepted(
  tables: StoreTables,
  { accepted }: SortedReports,
  changes: Changes,
  { now, timeoutGraceMs }: { now: Instant; timeoutGraceMs: number },
): Promise<AcceptAnswers> {
  const answers: AcceptAnswers = { moved: [], start: new Map(), forget: new Map(), cancel: new Map() };
  if (accepted.size === 0) return answers;

  const mayStart = await letThrough(tables, [...accepted.values()]);
  const moved = await tables.tasks.start(mayStart, now, timeoutGraceMs);
  answers.moved = moved;
  changes.events.push(...eventsOfMoves(moved, now, 'device'));
  const left = new Map(accepted);
  for (const move of moved) {
    left.delete(taskKey(move));
    push(answers.start, move.deviceId, move.code);
  }
  if (left.size === 0) return answers;

  const rows = new Map((await tables.tasks.getMany([...left.values()])).map((task) => [taskKey(task), task]));
  for (const [key, { deviceId, code }] of left) {
    const task = rows.get(key);
    // Accepted once more after it had been started already: starting twice is harmless, forgetting would lose it.
    const started = task?.status === 'IN_PROGRESS';
    push(started ? answers.start : answers.forget, deviceId, code);
    if (started && task.cancelRequestedAt !== null) push(answers.cancel, deviceId, code);
  }
  return answers;
}

function progressEvent(move: TaskMove, { progress }: SortedReports, now: Instant) {
  const report = progress.get(taskKey(move));
  return eventOfMove(move, now, 'device', {
    type: 'task.progress',
    data: { percent: report?.percent ?? null, message: report?.message ?? null },
  });
}

async function applyLogs(
  tables: StoreTables,
  deliveries: Delivery[],
  { logs }: SortedReports,
): Promise<void> {
  if (logs.length === 0) return;
  const ids = new Map<string, string>();
  for (const { link } of deliveries) {
    for (const [code, { id }] of link.held ?? []) ids.set(taskKey({ deviceId: link.deviceId, code }), id);
  }
  const unknown = new Map(logs.filter((log) => !ids.has(taskKey(log))).map((log) => [taskKey(log), log]));
  if (unknown.size > 0) {
    const keys = [...unknown.values()].map(({ deviceId, code }) => ({ deviceId, code }));
    for (const task of await tables.tasks.getMany(keys)) ids.set(taskKey(task), task.id);
  }
  const known = logs.flatMap((log) => {
    const taskId = ids.get(taskKey(log));
    return taskId === undefined ? [] : [{ ...log, taskId }]; // not a task of this device, or deleted by retention
  });
  const gapped = new Set(known.flatMap(({ stream, taskId }) => (stream === 'gap' ? [taskId] : [])));
  const lines = logLines(known, await tables.logs.lastLines([...gapped]));
  if (lines.length > 0) await tables.logs.append(lines);
}

/** A device may drop lines that had arrived here already: of a gap only what really is missing is told. */
function logLines(logs: (LogReport & { taskId: string })[], lastLines: Map<string, number>): NewLogLine[] {
  return logs.flatMap(({ taskId, line, from, stream, at, text }): NewLogLine[] => {
    const last = lastLines.get(taskId) ?? 0;
    lastLines.set(taskId, Math.max(last, line));
    if (stream !== 'gap') return [{ taskId, line, stream, at, text }];
    if (line <= last) return [];
    const dropped = `lines ${Math.max(from, last + 1)} to ${line} were dropped: ${text}`;
    return [{ taskId, line, stream, at, text: dropped }];
  });
}

async function applyEnds(
  tables: StoreTables,
  sorted: SortedReports,
  changes: Changes,
  now: Instant,
): Promise<void> {
  const { results, cancelled, endings, repeated } = sorted;
  if (endings.size === 0) return;
  const moves = [
    ...(results.size > 0 ? await tables.tasks.finish([...results.values()], now) : []),
    ...(cancelled.size > 0 ? await tables.tasks.confirmCancelled([...cancelled.values()], now) : []),
  ];
  changes.noteEnded(moves);
  changes.events.push(...eventsOfMoves(moves, now, 'device'));

  const unmoved = new Map(endings);
  for (const move of moves) unmoved.delete(taskKey(move));
  const candidates = [...unmoved.values(), ...repeated];
  const ended = candidates.length > 0 ? await tables.tasks.getMany(candidates) : [];
  const rows = new Map(ended.map((task) => [taskKey(task), task]));
  changes.events.push(...(await applySyncEnds(tables, { moves, late: [...rows.values()], results }, now)));
  const late = candidates.filter((one) => {
    const task = rows.get(taskKey(one));
    return task !== undefined && isFinal(task.status) && task.status !== one.outcome;
  });
  if (late.length === 0) return;
  const kept = await tables.tasks.keepLate(
    late.map(({ deviceId, code, report }) => ({ deviceId, code, report })),
    now,
  );
  changes.events.push(...eventsOfMoves(kept, now, 'device', 'task.late_result'));
}

/** After the commit: starts and forgets, then the acknowledgement; and the slots of what ended are free. */
function answer(
  lastSeqs: Map<OnlineLink, number>,
  answers: AcceptAnswers,
  { endings }: SortedReports,
  monotonic: number,
): void {
  const moved = new Map(answers.moved.map((move) => [taskKey(move), move]));
  const ended = new Map<string, string[]>();
  for (const { deviceId, code } of endings.values()) push(ended, deviceId, code);

  for (const [link, seq] of lastSeqs) {
    const { deviceId } = link;
    link.appliedSeq = seq;
    const start = answers.start.get(deviceId);
    const forget = answers.forget.get(deviceId);
    for (const code of start ?? []) hold(link, moved.get(taskKey({ deviceId, code })), code, monotonic);
    for (const code of forget ?? []) link.held?.delete(code);
    for (const code of ended.get(deviceId) ?? []) link.held?.delete(code);
    if (link.held?.size === 0) link.held = undefined;

    if (start) link.send({ type: 'task.start', codes: start });
    if (forget) link.send({ type: 'task.forget', codes: forget });
    for (const code of answers.cancel.get(deviceId) ?? []) link.send({ type: 'task.cancel', code });
    link.send({ type: 'report.ack', seq });
  }
}

/** The task runs from now on: it occupies its slot also when its offer was given up in the meantime. */
function hold(link: OnlineLink, move: TaskMove | undefined, code: string, since: number): void {
  const held = link.held?.get(code);
  if (held) held.state = 'started';
  else if (move) {
    const { id, lane, type, runId } = move;
    link.held ??= new Map();
    link.held.set(code, { id, lane, type, runId, state: 'started', since, expiresAt: null });
  }
}

function push(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
