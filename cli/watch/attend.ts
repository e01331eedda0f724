import type { Task } from '../../shared/api/tasks.ts';
import { CliError } from '../cli-error.ts';
import type { Environment } from '../environment.ts';
import { wantsColor } from '../output/paint.ts';
import { isEnded, lastTries } from './ended.ts';
import { LogFollower } from './log-follower.ts';
import { createLogPrinter, widestName } from './log-printer.ts';
import { LiveProgress, lineProgress, silentProgress } from './progress.ts';
import type { Progress } from './progress.ts';
import type { WatchSource } from './source.ts';
import { watch } from './watch.ts';

/** Timers cannot wait longer: 24.8 days. */
const maxTimerMs = 2_147_483_647;

export interface Attendance {
  source: WatchSource;
  /** Print the tasks’ logs as they grow. */
  follow: boolean;
  timeoutMs: number | undefined;
  /** Told when we leave before the tasks have ended: how to come back, how to cancel. */
  resume: string;
}

/** Stays with tasks until all have ended, and returns the last tries. Leaves with exit 7 after the timeout and 130 at Ctrl-C; the tasks go on. */
export async function attend(environment: Environment, attendance: Attendance): Promise<Task[]> {
  const { terminal, client, output } = environment;
  const known = new Map<string, Task>();
  const progress = progressFor(environment, known, attendance.follow);
  const timeout =
    attendance.timeoutMs === undefined
      ? []
      : [AbortSignal.timeout(Math.min(attendance.timeoutMs, maxTimerMs))];
  const stop = new AbortController();
  const signal = AbortSignal.any([terminal.signal, stop.signal, ...timeout]);
  const parts = { client, terminal, source: attendance.source, observer: progress };
  try {
    const watching = watch(parts, known, signal);
    const following = attendance.follow ? followLogs(environment, known, { watching, signal }) : undefined;
    await Promise.all([watching, following]);
    return lastTries([...known.values()]);
  } catch (error) {
    progress.end();
    if (terminal.signal.aborted) output.say(attendance.resume);
    else if (timeout[0]?.aborted) throw timedOut(attendance, known);
    throw error;
  } finally {
    stop.abort();
    progress.end();
  }
}

async function followLogs(
  { client, terminal, output }: Environment,
  known: ReadonlyMap<string, Task>,
  { watching, signal }: { watching: Promise<void>; signal: AbortSignal },
): Promise<void> {
  let final = false;
  const watched = watching.then(() => {
    final = true;
  });
  watched.catch(() => undefined);
  let width = 0;
  const follower = new LogFollower({
    client,
    clock: terminal.clock,
    onLine: (line, followed) => createLogPrinter({ terminal, output, prefixWidth: width })(line, followed),
  });
  await follower.run(() => {
    const tasks = [...known.values()];
    width = widestName(tasks);
    const followed = tasks.map((task) => ({ ...task, begun: task.started_at !== null || isEnded(task) }));
    return { followed, final };
  }, signal);
}

function progressFor({ terminal, output }: Environment, known: Map<string, Task>, follow: boolean): Progress {
  const { stderr } = terminal;
  if (output.quiet) return silentProgress;
  // Log lines and a line that is redrawn would overwrite each other.
  if (stderr.isTTY && !follow) {
    return new LiveProgress(terminal, known, wantsColor(stderr, terminal.env, output.mayColor));
  }
  return lineProgress(stderr);
}

function timedOut({ resume, timeoutMs }: Attendance, known: ReadonlyMap<string, Task>): CliError {
  const open = [...known.values()].filter((task) => !isEnded(task)).length;
  const seconds = (timeoutMs ?? 0) / 1000;
  return new CliError('timedOut', `after ${seconds} s ${open} of ${known.size} tasks have not ended`, {
    hint: resume,
  });
}
