import type { RunAnswer, RunRequest } from '../../shared/api/tasks.ts';
import type { Clock, Instant, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { drawTaskCode } from '../../shared/ids.ts';
import type { RunType } from '../../shared/run-type.ts';
import { type TaskType, traitsOf } from '../../shared/task-types/task-type.ts';
import type { Bus } from '../bus/bus.ts';
import type { Actor } from '../devices/actor.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { NewEvent } from '../store/events.ts';
import type { NewRun, RunSchedule } from '../store/runs.ts';
import { neverRetried } from '../store/retries.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { NewTask } from '../store/tasks.ts';
import { candidates } from './target-candidates.ts';
import { type ResolvedTargets, resolveTargets } from './targets.ts';

/** What is to be run. An agent task is a run without tasks of its own: what belongs to it is written alongside. */
export type SubmittedRequest = Omit<RunRequest, 'type'> & { type: RunType };

export interface Submission {
  actor: Actor;
  organization: OrganizationRow;
  request: SubmittedRequest;
  trigger: NewRun['trigger'];
  /** The answer is kept under the key in the transaction that creates the tasks. */
  idempotency?: {
    accountId: string;
    key: string;
    /** SHA-256 of method, path and body. */
    requestDigest: string;
    /** HTTP status to keep beside the answer. */
    status: number;
  };
  /**
   * Parameters by device id, for tasks that are not the same everywhere; the payload of the request is what the run shows. A device
   * without parameters is left out, for the reason under its id.
   */
  perDevice?: { parameters: ReadonlyMap<string, string>; skipped: ReadonlyMap<string, string> };
  /** What the run is made for. */
  schedule?: RunSchedule;
  /** How often failed tasks are tried again; what the request says goes before. */
  retries?: { max: number; delayMs: number };
  /** The run that this tries once more, and the code of the earlier task by device id. */
  retryOf?: { run: string; tasks: ReadonlyMap<string, string> };
  /** Answered, and kept, beside what every run answers. */
  more?: Record<string, unknown>;
  /** Written in the transaction that creates the tasks. */
  alongside?: (tables: StoreTables, answer: RunAnswer) => Promise<void>;
}

export interface Submitted {
  answer: RunAnswer;
  /** True when the key had been used for the same request before: nothing was created now. */
  replayed: boolean;
}

export interface SubmitParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  random: Random;
}

/** How far in the past `scheduled_at` may lie, for clocks that differ a little; it means now then. */
const pastToleranceMs = 30_000;
const horizonMs = 366 * 86_400_000;
/** What is known of a request before anything is written. */
export interface Checked {
  /** As JSON text, with defaults filled in. */
  parameters: string;
  /** Of the task type, for a request that does not say it. */
  timeoutMs: number;
}

/** What one submission came to inside a transaction that is not committed yet. */
export type Outcome =
  | { kind: 'done'; submitted: Submitted; deviceIds: string[]; isScheduled: boolean }
  | { kind: 'refused'; error: unknown };

/** Creates the run of one submission with all its tasks, inside a transaction. What is refused is refused before anything is written. */
export async function create(
  parts: SubmitParts,
  tables: StoreTables,
  submission: Submission,
  checked: Checked,
): Promise<Outcome> {
  const { request, idempotency } = submission;
  const now = parts.clock.now();
  let plan: RunPlan;
  try {
    const earlier = idempotency ? await answeredBefore(tables, idempotency) : undefined;
    if (earlier) return answered({ answer: earlier, replayed: true });
    const scheduledAt = scheduledFor(request.scheduled_at, now);
    const resolved = await resolve(tables, submission);
    plan = planRun(parts, submission, { ...checked, resolved, now, scheduledAt });
  } catch (error) {
    if (error instanceof AppError) return { kind: 'refused', error };
    throw error;
  }
  const submitted = { answer: plan.answer, replayed: false };
  if (request.dry_run) return answered(submitted);

  await insertRun(tables, submission, plan, now);
  await submission.alongside?.(tables, plan.answer);
  if (idempotency) {
    const { accountId, key, requestDigest, status } = idempotency;
    const body = JSON.stringify(plan.answer);
    await tables.access.keepIdempotentAnswer({ accountId, key, requestDigest, status, body, createdAt: now });
  }
  const deviceIds = plan.tasks.map(({ deviceId }) => deviceId);
  return { kind: 'done', submitted, deviceIds, isScheduled: plan.run.scheduledAt !== null };
}

async function resolve(
  tables: StoreTables,
  { organization, request: { type, targets }, perDevice }: Submission,
): Promise<ResolvedTargets> {
  if (type === 'AGENT_TASK') return { devices: [], skipped: [] };
  const devices = await candidates(tables.devices, organization.id, targets);
  return withParameters(resolveTargets(targets, devices, type), perDevice);
}

const answered = (submitted: Submitted): Outcome => ({
  kind: 'done',
  submitted,
  deviceIds: [],
  isScheduled: false,
});

/** Whatever was not there, or not able, when the parameters were made is left out. */
function withParameters(
  { devices, skipped }: ResolvedTargets,
  perDevice: Submission['perDevice'],
): ResolvedTargets {
  if (perDevice === undefined) return { devices, skipped };
  const { parameters, skipped: reasons } = perDevice;
  const [ready, others] = [true, false].map((wanted) =>
    devices.filter(({ id }) => parameters.has(id) === wanted),
  ) as [typeof devices, typeof devices];
  const left = others.map(({ id, name }) => ({
    device_name: name,
    reason: reasons.get(id) ?? 'it was not among these devices a moment before',
  }));
  return { devices: ready, skipped: [...skipped, ...left] };
}

/** Undefined time and times just past mean now. */
function scheduledFor(text: string | undefined, now: Instant): Instant | null {
  if (text === undefined) return null;
  const at = Date.parse(text);
  if (at < now - pastToleranceMs) {
    throw new AppError('bad_request', `scheduled_at is in the past: got ${text}, now it is ${iso(now)}`);
  }
  if (at > now + horizonMs) {
    throw new AppError(
      'bad_request',
      `scheduled_at is too far away: got ${text}, expected at most one year ahead`,
    );
  }
  return at <= now ? null : at;
}

async function answeredBefore(
  tables: StoreTables,
  { accountId, key, requestDigest }: NonNullable<Submission['idempotency']>,
): Promise<RunAnswer | undefined> {
  const answer = await tables.access.idempotentAnswer(accountId, key);
  if (answer === undefined) return undefined;
  if (answer.requestDigest !== requestDigest) {
    throw new AppError(
      'idempotency_mismatch',
      `Idempotency-Key ${key} was used for another request: expected the same method, path and body`,
    );
  }
  return JSON.parse(answer.body) as RunAnswer; // written by this module
}

interface RunPlan {
  run: NewRun;
  tasks: NewTask[];
  answer: RunAnswer;
}

function planRun(
  { random }: SubmitParts,
  submission: Submission,
  what: Checked & { resolved: ResolvedTargets; now: Instant; scheduledAt: Instant | null },
): RunPlan {
  const { actor, organization, request, trigger, more, retryOf } = submission;
  const { parameters, resolved, now, scheduledAt } = what;
  const run: NewRun = {
    id: random.uuid(),
    organizationId: organization.id,
    type: request.type,
    trigger,
    parameters,
    rollout: request.rollout ?? null,
    total: resolved.devices.length,
    skipped: resolved.skipped.map(({ device_name: deviceName, reason }) => ({ deviceName, reason })),
    createdBy: actor.name,
    createdAt: now,
    scheduledAt,
    schedule: submission.schedule ?? null,
    retryOf: retryOf?.run ?? null,
    retries: retriesOf(submission),
  };
  const tasks =
    request.type === 'AGENT_TASK' ? [] : planTasks(random, submission, request.type, { run, ...what });
  const answer: RunAnswer = {
    run: request.dry_run ? null : run.id,
    type: request.type,
    organization: organization.name,
    scheduled_at: scheduledAt === null ? null : iso(scheduledAt),
    total: tasks.length,
    tasks: tasks.map((task, index) => ({
      task: request.dry_run ? '' : task.code,
      device_uuid: task.deviceId,
      device_name: resolved.devices[index]?.name ?? '',
      status: task.status,
      expires_at: task.expiresAt === null ? null : iso(task.expiresAt),
    })),
    skipped: resolved.skipped,
    max_retries: run.retries?.max ?? 0,
    ...more,
  };
  return { run, tasks, answer };
}

function planTasks(
  random: Random,
  { request, perDevice, retryOf }: Submission,
  type: TaskType,
  what: Checked & {
    run: NewRun;
    resolved: ResolvedTargets;
    now: Instant;
    scheduledAt: Instant | null;
  },
): NewTask[] {
  const { run, parameters, timeoutMs, resolved, now, scheduledAt } = what;
  const traits = traitsOf(type);
  const expiresInMs = (request.expires_in_seconds ?? traits.expiresInMs / 1000) * 1000;
  return resolved.devices.map(({ id: deviceId }) => ({
    id: random.uuid(),
    code: drawTaskCode(random),
    organizationId: run.organizationId,
    deviceId,
    runId: run.id,
    type,
    status: scheduledAt === null ? 'PENDING' : 'SCHEDULED',
    lane: traits.lane,
    parameters: perDevice?.parameters.get(deviceId) ?? parameters,
    force: request.force,
    createdBy: run.createdBy,
    createdAt: now,
    scheduledAt,
    expiresInMs,
    timeoutMs: request.timeout_seconds === undefined ? timeoutMs : request.timeout_seconds * 1000,
    expiresAt: scheduledAt === null ? now + expiresInMs : null,
    retryOf: retryOf?.tasks.get(deviceId) ?? null,
  }));
}

const defaultRetryDelayMs = 60_000;

function retriesOf({ request, retries }: Submission): { max: number; delayMs: number } | null {
  const max = request.max_retries ?? retries?.max ?? 0;
  if (max === 0 || request.type === 'AGENT_TASK' || neverRetried.includes(request.type)) return null;
  const { retry_delay_seconds: seconds } = request;
  const delayMs = seconds === undefined ? (retries?.delayMs ?? defaultRetryDelayMs) : seconds * 1000;
  return { max, delayMs };
}

async function insertRun(
  tables: StoreTables,
  { actor, request }: Submission,
  { run, tasks }: RunPlan,
  now: Instant,
): Promise<void> {
  await tables.runs.insert(run);
  await tables.tasks.insert(tasks);
  const { organizationId, id: runId, type } = run;
  const event = { at: now, organizationId, runId };
  const created: NewEvent[] = tasks.map((task) => ({
    ...event,
    type: 'task.created',
    deviceId: task.deviceId,
    taskId: task.id,
    data: { status: task.status, task_type: type },
  }));
  await tables.events.append([
    {
      ...event,
      type: 'run.created',
      deviceId: null,
      taskId: null,
      data: { task_type: type, total: run.total },
    },
    ...created,
  ]);
  await tables.audit.append([
    {
      at: now,
      organizationId,
      actor: actor.name,
      action: 'run.create',
      target: runId,
      detail: {
        type,
        total: run.total,
        targets: targetsInBrief(request.targets),
        ...(request.rollout ? { rollout: request.rollout } : {}),
        ...(run.scheduledAt === null ? {} : { scheduled_at: iso(run.scheduledAt) }),
        ...(run.schedule ? { schedule: run.schedule.name } : {}),
        ...(run.retryOf ? { retry_of: run.retryOf } : {}),
      },
      ipAddress: actor.ipAddress,
      requestId: actor.requestId,
    },
  ]);
}

/** Targets as the audit log keeps them: a long list of names in brief. */
export function targetsInBrief<Some extends { devices?: string[] | undefined }>(targets: Some): Some {
  const names = targets.devices ?? [];
  return names.length <= 50
    ? targets
    : { ...targets, devices: [...names.slice(0, 50), `and ${names.length - 50} more`] };
}

const iso = (at: Instant): string => new Date(at).toISOString();
