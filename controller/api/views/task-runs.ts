import type { LogLevel, RecentTaskRuns, TaskRun, TaskRunLog } from '../../../shared/api/task-runs-view.ts';
import { AppError } from '../../../shared/errors.ts';
import type { AssistantRunRow } from '../../store/assistant.ts';
import type { RunRow } from '../../store/runs.ts';
import type { TaskRow } from '../../store/tasks.ts';
import type { Call } from '../route.ts';
import {
  showAgentLogLine,
  showAgentRun,
  showRecentAgentRun,
  showTaskLogLine,
  showTaskRun,
} from './show-task-run.ts';

type Caller = Call<unknown, unknown, unknown>;

/** What a run of the view is: one task of a device, or a run without tasks. */
export type ViewedRun = { task: TaskRow } | { run: RunRow; agent: AssistantRunRow };

const maxRecent = 100;
/** Lines looked at together. */
const batch = 1000;

/** By id or code. Throws `not_found`. */
export async function findRun({ parts, principal }: Caller, id: string): Promise<ViewedRun> {
  const { store } = parts;
  const task = await store.tasks.get(principal.organization.id, id);
  if (task !== undefined) return { task };
  const run = await store.runs.get(principal.organization.id, id);
  const agent = run && (await store.assistant.get(run.id));
  if (run === undefined || agent === undefined) throw new AppError('not_found', `Run ${id} does not exist`);
  return { run, agent };
}

export const showRun = (viewed: ViewedRun): TaskRun =>
  'task' in viewed ? showTaskRun(viewed.task) : showAgentRun(viewed.run, viewed.agent);

/** Newest first. */
export async function recentRuns({ parts, principal }: Caller): Promise<RecentTaskRuns> {
  const { store } = parts;
  const organizationId = principal.organization.id;
  const paging = { page: 1, perPage: maxRecent };
  const order = { sortBy: 'created_at', descending: true } as const;
  const { items: tasks } = await store.tasks.list({ organizationId, ...order }, paging);
  // No run older than the oldest of these tasks would be shown.
  const oldest = tasks.length < maxRecent ? undefined : tasks.at(-1)?.createdAt;
  const filter = {
    organizationId,
    type: 'AGENT_TASK',
    ...(oldest !== undefined && { createdAfter: oldest }),
  } as const;
  const { items: runs } = await store.runs.list(filter, paging);
  return [...tasks.map(showTaskRun), ...runs.map(showRecentAgentRun)]
    .toSorted((left, right) => Date.parse(right.createdAt) - Date.parse(left.createdAt))
    .slice(0, maxRecent)
    .map(({ id, taskName, state, createdAt }) => ({ id, taskName, state, createdAt }));
}

/** Lines after a cursor; of these levels only when some are given. */
export async function readLog(
  { parts }: Caller,
  viewed: ViewedRun,
  { after, limit, levels }: { after: number; limit: number; levels: LogLevel[] | undefined },
): Promise<TaskRunLog> {
  const read = readerOf(parts, viewed);
  if (levels === undefined) return read(after, limit);
  const lines: TaskRunLog = [];
  for (let cursor = after; lines.length < limit; ) {
    const page = await read(cursor, batch);
    lines.push(...page.filter(({ level }) => levels.includes(level)));
    cursor = page.at(-1)?.cursor ?? cursor;
    if (page.length < batch) break;
  }
  return lines.slice(0, limit);
}

function readerOf(
  { store }: Caller['parts'],
  viewed: ViewedRun,
): (after: number, limit: number) => Promise<TaskRunLog> {
  if ('run' in viewed) {
    return async (after, limit) =>
      (await store.assistant.messages(viewed.run.id, after, limit)).map(showAgentLogLine);
  }
  return async (after, limit) => (await store.logs.read(viewed.task.id, after, limit)).map(showTaskLogLine);
}
