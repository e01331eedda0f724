import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { Ledger, SeenTask } from './ledger.ts';
import { scriptLine } from './requests.ts';

interface LogLine {
  line: number;
  stream: string;
  text: string;
}

interface Sources {
  ledger: Ledger;
  controller: Sqlite;
  /** Database of the task's device. */
  agent: Sqlite | undefined;
}

/** Lines of a task's log that are missing, double, out of order, or both there and called dropped. */
export function logProblems(task: SeenTask, { ledger, controller, agent }: Sources): string[] {
  const lines = controller
    .prepare<[string], LogLine>(
      `SELECT line, stream, text FROM task_logs
       WHERE task_seq = (SELECT seq FROM main.tasks WHERE id = ?) ORDER BY line`,
    )
    .all(task.id);
  const { problem, last } = follow(lines);
  if (problem !== undefined) return [problem];

  const written = agent
    ?.prepare<[string], { lines: number }>('SELECT lines FROM tasks WHERE code = ?')
    .get(task.code)?.lines;
  if (written !== undefined && written !== last) return [`has log lines up to ${last} of ${written}`];
  return wrongText(task, lines, ledger);
}

function follow(lines: LogLine[]): { problem?: string; last: number } {
  let last = 0;
  for (const { line, stream, text } of lines) {
    const from = stream === 'gap' ? Number(/^lines (\d+) to/.exec(text)?.[1]) : line;
    if (from !== last + 1) return { problem: `has log line ${from} after line ${last}`, last };
    last = line;
  }
  return { last };
}

/** A script that came to its end without a gap has its whole output at the end of the log. */
function wrongText(task: SeenTask, lines: LogLine[], ledger: Ledger): string[] {
  const last = ledger.executionsOf(task).at(-1);
  if (task.type !== 'SCRIPT' || last?.exits.length !== 1 || task.state !== 'COMPLETED') return [];
  if (lines.some(({ stream }) => stream === 'gap')) return [];
  const expected = Array.from({ length: task.lines }, (_, index) => scriptLine(task.tag ?? 0, index + 1));
  const told = lines
    .filter(({ stream }) => stream === 'stdout')
    .slice(-expected.length || lines.length)
    .map(({ text }) => text);
  return told.join() === expected.join()
    ? []
    : [`ends its log with ${told.join()} instead of ${expected.join()}`];
}
