import type { Report } from '../../shared/protocol/report.ts';
import type { OnlineLink } from '../devices/online.ts';
import type { DeviceQuestion, TakenQuestion } from '../store/questions.ts';
import type { DeviceTask, FinishedTask } from '../store/tasks.ts';
import { taskKey } from './moves.ts';

/** A line of a task's log, or the lines `from` to `line` that were dropped, as it came. */
export interface LogReport extends DeviceTask {
  line: number;
  at: number;
  /** Of a gap: why the lines were dropped. */
  text: string;
  stream: 'stdout' | 'stderr' | 'agent' | 'gap';
  from: number;
}

export interface ProgressReport extends DeviceTask {
  attempt: number;
  percent: number | null;
  message: string | null;
  poweringOff: boolean;
}

/** Reports of many links, sorted by what is done with them. */
export interface SortedReports {
  accepted: Map<string, DeviceTask>;
  progress: Map<string, ProgressReport>;
  logs: LogReport[];
  /** First end of each task, by itself or by a cancel. */
  results: Map<string, FinishedTask>;
  cancelled: Map<string, DeviceTask>;
  /** Ends that came after another end of the same task in the same commit. */
  repeated: (DeviceTask & { outcome: Ending; report: string })[];
  /** With the bound that the device set itself; the controller's own counts from the commit. */
  asked: (DeviceQuestion & { deadlineMs: number })[];
  taken: TakenQuestion[];
  /** Every end by task, as text, to be kept when it turns out to be late. */
  endings: Map<string, DeviceTask & { outcome: Ending; report: string }>;
}

export type Ending = 'COMPLETED' | 'FAILED' | 'CANCELLED';

/** Rows already applied are left out: `seq` increases, so whatever is not above the last applied row is a repetition. */
export function sortReports(deliveries: { link: OnlineLink; reports: Report[] }[]): {
  sorted: SortedReports;
  lastSeqs: Map<OnlineLink, number>;
} {
  const sorted: SortedReports = {
    accepted: new Map(),
    progress: new Map(),
    logs: [],
    results: new Map(),
    cancelled: new Map(),
    repeated: [],
    asked: [],
    taken: [],
    endings: new Map(),
  };
  const lastSeqs = new Map<OnlineLink, number>();
  for (const { link, reports } of deliveries) {
    let last = link.appliedSeq;
    for (const report of reports) {
      if (report.seq <= last) continue;
      last = report.seq;
      sortOne(sorted, link.deviceId, report);
    }
    lastSeqs.set(link, last);
  }
  return { sorted, lastSeqs };
}

function sortOne(sorted: SortedReports, deviceId: string, report: Report): void {
  const task = { deviceId, code: report.code };
  const key = taskKey(task);
  switch (report.type) {
    case 'task.accepted':
      sorted.accepted.set(key, task);
      return;
    case 'task.progress': {
      const before = sorted.progress.get(key);
      sorted.progress.set(key, {
        ...task,
        attempt: report.attempt,
        percent: report.percent ?? before?.percent ?? null,
        message: report.message ?? before?.message ?? null,
        poweringOff: report.phase === 'powering_off' || (before?.poweringOff ?? false),
      });
      return;
    }
    case 'task.log':
      sorted.logs.push({
        ...task,
        line: report.line,
        from: report.line,
        stream: report.stream,
        at: showable(report.at),
        text: report.text,
      });
      return;
    case 'task.gap': {
      const { from, to, at, reason } = report;
      sorted.logs.push({ ...task, line: to, from, stream: 'gap', at: showable(at), text: reason });
      return;
    }
    case 'task.result': {
      const { attempt, outcome, result, error } = report;
      const text = JSON.stringify({ outcome, result, error, at: report.at });
      if (!first(sorted, key, { ...task, outcome, report: text })) return;
      sorted.results.set(key, {
        ...task,
        attempt,
        outcome,
        message: outcome === 'FAILED' ? (error?.message ?? null) : null,
        errorCode: outcome === 'FAILED' ? (error?.code ?? 'failed') : null,
        errorMessage: outcome === 'FAILED' ? (error?.message ?? 'The device gave no reason') : null,
        result: result === undefined ? null : JSON.stringify(result),
      });
      return;
    }
    case 'task.question': {
      const { question: id, asked, expiresAt } = report;
      sorted.asked.push({ ...task, ...asked, id, expiresAt });
      return;
    }
    case 'task.question_closed': {
      const { question: id, reason, answer = null } = report;
      sorted.taken.push({ id, deviceId, reason, answer, at: showable(report.at) });
      return;
    }
    case 'task.cancelled': {
      const text = JSON.stringify({ outcome: 'CANCELLED', at: report.at });
      if (first(sorted, key, { ...task, outcome: 'CANCELLED', report: text }))
        sorted.cancelled.set(key, task);
      return;
    }
  }
}

/** A device's clock may say anything; RFC 3339 ends with the year 9999. */
const showable = (at: number): number => Math.min(Math.max(at, 0), Date.UTC(10_000, 0) - 1);

/** Notes an end; false when the task has ended in this commit already. */
function first(
  sorted: SortedReports,
  key: string,
  ending: DeviceTask & { outcome: Ending; report: string },
): boolean {
  if (sorted.endings.has(key)) {
    sorted.repeated.push(ending);
    return false;
  }
  sorted.endings.set(key, ending);
  return true;
}
