import type { Execution, WindowQuery } from '../../../shared/api/task-schedules-view.ts';
import { AppError } from '../../../shared/errors.ts';
import type { TaskState } from '../../../shared/task-state.ts';
import { rfc3339 } from '../../../shared/time.ts';
import type { PageOf } from '../../store/access.ts';
import type { RunRow } from '../../store/runs.ts';
import type { Store } from '../../store/store.ts';
import type { TaskRow } from '../../store/tasks.ts';
import { runStatus } from '../../tasks/runs.ts';
import type { Call } from '../route.ts';
import { shownOrNull } from '../show-time.ts';
import { failureReason } from './failure-reason.ts';

type Caller = Call<unknown, unknown, unknown>;

/** Devices shown of one execution; a fleet may be larger than what anybody reads. */
const maxResults = 1000;
const perPage = 100;

/** Runs that a schedule made, newest first. */
export async function listExecutions(
  { parts, principal }: Caller,
  scheduleId: string,
  window: Pick<WindowQuery, 'limit' | 'offset'>,
): Promise<PageOf<Execution>> {
  const { items: ids, total } = await parts.store.schedules.firedRuns(scheduleId, window);
  const rows = await parts.store.runs.getMany(principal.organization.id, ids);
  const byId = new Map(rows.map((row) => [row.id, row]));
  // A run is pruned with its tasks, its firing some time later.
  const items: Execution[] = [];
  for (const row of ids.flatMap((id) => byId.get(id) ?? []))
    items.push(await showExecution(parts.store, row));
  return { items, total };
}

/** With the last attempt on each device. Throws `not_found`. */
export async function findExecution({ parts, principal }: Caller, id: string): Promise<Execution> {
  const { store } = parts;
  const row = await store.runs.get(principal.organization.id, id);
  if (row === undefined) throw new AppError('not_found', `Execution ${id} does not exist`);
  const filter = {
    organizationId: principal.organization.id,
    runId: id,
    sortBy: 'created_at',
    descending: true,
  } as const;
  const tasks: TaskRow[] = [];
  for (let page = 1; tasks.length < maxResults; page++) {
    const { items, total } = await store.tasks.list(filter, { page, perPage });
    tasks.push(...items);
    if (page * perPage >= total) break;
  }
  return { ...(await showExecution(store, row)), results: resultsOf(tasks) };
}

/** A run in the words of the view. */
async function showExecution(store: Pick<Store, 'assistant'>, row: RunRow): Promise<Execution> {
  const agent = row.agentStatus === null ? undefined : await store.assistant.get(row.id);
  return {
    id: row.id,
    task_id: row.schedule?.id ?? null,
    task_name: row.schedule?.name ?? null,
    status: statusOf(row),
    trigger: row.trigger,
    started_at: rfc3339(row.createdAt),
    completed_at: shownOrNull(row.completedAt),
    error_message: agent === undefined ? errorOf(row) : (agent.errorMessage ?? agent.errorCode),
    output: agent?.answer ?? null,
    device_count: row.total,
  };
}

function statusOf(row: RunRow): Execution['status'] {
  const status = runStatus(row);
  if (status === 'IN_PROGRESS') return 'running';
  if (status === 'COMPLETED') return 'completed';
  return status === 'CANCELLED' ? 'cancelled' : 'failed';
}

function errorOf(row: RunRow): string | null {
  if (statusOf(row) !== 'failed') return null;
  if (row.stoppedReason !== null) return row.stoppedReason;
  const { FAILED, EXPIRED, CANCELLED } = row.counts;
  return `${FAILED + EXPIRED + CANCELLED} of ${row.total} devices did not do it`;
}

/** Newest first comes in; an attempt that was followed by another is left out. */
function resultsOf(tasks: TaskRow[]): NonNullable<Execution['results']> {
  const superseded = new Set(tasks.map(({ retryOf }) => retryOf));
  return tasks
    .filter(({ code }) => !superseded.has(code))
    .map((task) => ({
      device_id: task.deviceId,
      device_name: task.deviceName,
      task: task.code,
      status: resultWords[task.status],
      started_at: shownOrNull(task.startedAt),
      completed_at: shownOrNull(task.completedAt),
      error_message: failureReason(task),
      result: task.result,
    }))
    .sort((left, right) => (left.device_name < right.device_name ? -1 : 1));
}

const resultWords = {
  SCHEDULED: 'pending',
  PENDING: 'pending',
  IN_PROGRESS: 'running',
  COMPLETED: 'completed',
  FAILED: 'failed',
  EXPIRED: 'failed',
  CANCELLED: 'cancelled',
} as const satisfies Record<TaskState, string>;
