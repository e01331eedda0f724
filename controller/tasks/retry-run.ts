import { SyncRequest } from '../../shared/api/sync.ts';
import { RunAnswer } from '../../shared/api/tasks.ts';
import type { RetryRun } from '../../shared/api/runs.ts';
import { AppError } from '../../shared/errors.ts';
import type { TaskState } from '../../shared/task-state.ts';
import type { Actor } from '../devices/actor.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import type { TaskRow } from '../store/tasks.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import type { Submission, Submitted } from './submit.ts';
import { findTaskType, lacking } from './find-task-type.ts';
import { readParameters } from './task-parameters.ts';

export interface RetryRunParts {
  store: Store;
  submit(submission: Submission): Promise<Submitted>;
  /** Renders and submits a SYNC. */
  sync?: (
    order: { actor: Actor; organization: OrganizationRow; request: SyncRequest },
    submit: RetryRunParts['submit'],
  ) => Promise<{ answer: RunAnswer }>;
}

const pageSize = 500;

type RunOfTasks = RunRow & { type: TaskType };

/** What a device is to be sent once more. */
interface Retried {
  name: string;
  deviceId: string;
  parameters: string;
  task: TaskRow | undefined;
}

/**
 * Makes a new run over the devices of another that did not do it, in the states asked for; each is sent what it was sent then. A device
 * that was skipped is sent what the run was to send to all, when that is the same for all. A SYNC is rendered anew: what was desired then
 * may not be desired now.
 */
export async function retryRun(
  { store, submit, sync }: RetryRunParts,
  who: { actor: Actor; organization: OrganizationRow },
  what: { run: string; only: RetryRun['only'] },
): Promise<RunAnswer> {
  const run = await store.runs.get(who.organization.id, what.run);
  if (run === undefined) throw new AppError('not_found', `Run ${what.run} does not exist`);
  const { type } = run;
  if (type === 'AGENT_TASK') {
    throw new AppError(
      'conflict',
      `Run ${run.id} is an agent task, which has no devices to try again: ask its prompt anew`,
    );
  }
  const states = what.only.filter((state) => state !== 'SKIPPED');
  const tasks = await tasksOf(store, run, new Set(states));
  const skipped = what.only.includes('SKIPPED') ? run.skipped.map(({ deviceName }) => deviceName) : [];
  const { retried, left } = await chosen(store, { ...run, type }, { tasks, skipped });
  if (retried.length === 0) {
    throw new AppError(
      'conflict',
      `No device of run ${run.id} is to be tried again as ${what.only.join(', ')}`,
      {
        detail: { left_out: left },
      },
    );
  }
  const first = tasks[0];
  const order = {
    targets: { devices: retried.map(({ name }) => name) },
    force: first?.force ?? false,
    ...(run.rollout && { rollout: run.rollout }),
    ...(first && {
      expires_in_seconds: first.expiresInMs / 1000,
      timeout_seconds: first.timeoutMs / 1000,
    }),
  };
  const linked = {
    trigger: 'retry' as const,
    retryOf: {
      run: run.id,
      tasks: new Map(retried.flatMap(({ deviceId, task }) => (task ? [[deviceId, task.code] as const] : []))),
    },
    ...(run.schedule && { schedule: run.schedule }),
  };
  const payload = JSON.parse(run.parameters) as Record<string, unknown>;
  if (type === 'SYNC') {
    const request = syncRequest(run, { ...payload, ...order });
    if (sync === undefined) throw new AppError('conflict', `Run ${run.id} cannot be rendered anew here`);
    const { answer } = await sync({ ...who, request }, (one) => submit({ ...one, ...linked }));
    return RunAnswer.parse({ ...answer, skipped: [...left, ...answer.skipped] });
  }
  const { answer } = await submit({
    ...who,
    ...linked,
    request: { type, payload, dry_run: false, ...order },
    perDevice: {
      parameters: new Map(retried.map(({ deviceId, parameters }) => [deviceId, parameters])),
      skipped: new Map(),
    },
    more: { skipped: left },
  });
  return answer;
}

/** What was asked for then, of what is desired now. */
function syncRequest(run: RunRow, { reason, ...asked }: Record<string, unknown>): SyncRequest {
  if (reason !== 'restore') return SyncRequest.parse(asked);
  throw new AppError(
    'conflict',
    `Run ${run.id} is a restore: its files were for the device as it was. Restore the archive once more: muster backup restore`,
  );
}

async function tasksOf(store: Store, run: RunRow, states: ReadonlySet<TaskState>): Promise<TaskRow[]> {
  const newest = new Map<string, TaskRow>();
  const filter = {
    organizationId: run.organizationId,
    runId: run.id,
    sortBy: 'created_at',
    descending: false,
  } as const;
  for (let page = 1; ; page += 1) {
    const { items } = await store.tasks.list(filter, { page, perPage: pageSize });
    // Of a device that was tried several times, the newest counts.
    for (const task of items) newest.set(task.deviceId, task);
    if (items.length < pageSize) break;
  }
  return [...newest.values()].filter(({ status }) => states.has(status));
}

async function chosen(
  store: Store,
  run: RunOfTasks,
  { tasks, skipped }: { tasks: TaskRow[]; skipped: string[] },
): Promise<{ retried: Retried[]; left: { device_name: string; reason: string }[] }> {
  const devices = new Map(
    (await store.devices.brief(run.organizationId)).map((device) => [device.name, device]),
  );
  const common = skipped.length > 0 ? await commonParameters(store, run) : undefined;
  const retried: Retried[] = [];
  const left: { device_name: string; reason: string }[] = [];
  const wanted = [
    ...tasks.map((task) => ({ name: task.deviceName, parameters: task.parameters, task })),
    ...skipped.map((name) => ({ name, parameters: common, task: undefined })),
  ];
  for (const { name, parameters, task } of wanted) {
    const device = devices.get(name);
    const reason = obstacleOf(run, device, parameters);
    if (device === undefined || reason !== undefined) {
      left.push({ device_name: name, reason: reason ?? 'it is gone' });
    } else retried.push({ name, deviceId: device.id, parameters: parameters ?? '', task });
  }
  return { retried, left };
}

function obstacleOf(
  { type }: RunOfTasks,
  device: { status: string; taskTypes: string[] } | undefined,
  parameters: string | undefined,
): string | undefined {
  if (device === undefined) return 'the device was removed';
  if (device.status !== 'ENABLED') return `the device is ${device.status}`;
  if (device.taskTypes.length > 0 && !device.taskTypes.includes(type)) return lacking(type, device.taskTypes);
  return parameters === undefined && type !== 'SYNC'
    ? `what ${type} sends is computed for each device: ask for it anew`
    : undefined;
}

/** Undefined for what is different on each device. */
async function commonParameters(
  { releases }: Store,
  { organizationId, type, parameters }: RunOfTasks,
): Promise<string | undefined> {
  try {
    const { contract } = await findTaskType(releases, organizationId, type);
    return readParameters(contract, parameters);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}
