import type { Instant } from '../../shared/clock.ts';
import type { TaskState } from '../../shared/task-state.ts';
import type { Lane, TaskType } from '../../shared/task-types/task-type.ts';
import type { PageOf, Paging } from './access.ts';
import type { Db } from './dialect.ts';
import { listTasks } from './task-list.ts';
import { getTask, getTasks, inProgress, poweringOff } from './task-reads.ts';
import { countLive, devicesWithPending, heads, nextDeadline } from './task-work.ts';
import { activate, cancelWaiting, expire, fail, failDevice, requestCancel, timeOut } from './task-moves.ts';
import { confirmCancelled, finish, keepLate, noteRefusal, progress, refuse, start } from './task-reports.ts';
import { insertTasks, pruneTasks } from './task-rows.ts';

export interface NewTask {
  id: string;
  code: string;
  organizationId: string;
  deviceId: string;
  runId: string | null;
  type: TaskType;
  status: 'PENDING' | 'SCHEDULED';
  lane: Lane;
  /** JSON text. */
  parameters: string;
  force: boolean;
  createdBy: string;
  createdAt: Instant;
  scheduledAt: Instant | null;
  /** Bound on waiting, counted from activation. */
  expiresInMs: number;
  timeoutMs: number;
  /** Null while SCHEDULED. */
  expiresAt: Instant | null;
  /** Code of the task that it is another try of. */
  retryOf: string | null;
  /** The how manieth try by itself it is; 0 for the first, and for those a person asked for. */
  retryNumber?: number;
}

export interface TaskRow extends Omit<NewTask, 'status'> {
  /** Order of creation. */
  seq: number;
  status: TaskState;
  retryNumber: number;
  deviceName: string;
  organizationName: string;
  attempt: number;
  progress: number | null;
  message: string | null;
  errorCode: string | null;
  errorMessage: string | null;
  result: Record<string, unknown> | null;
  lateResult: Record<string, unknown> | null;
  updatedAt: Instant;
  startedAt: Instant | null;
  timeoutAt: Instant | null;
  completedAt: Instant | null;
  cancelRequestedAt: Instant | null;
  /** When a SHUTDOWN reported that it powers off. */
  poweringOffAt: Instant | null;
}

/** A move that was made: enough to tell everybody about it. */
export interface TaskMove {
  id: string;
  code: string;
  organizationId: string;
  deviceId: string;
  runId: string | null;
  type: TaskType;
  lane: Lane;
  status: TaskState;
  errorCode: string | null;
}

export interface OfferableTask {
  id: string;
  code: string;
  seq: number;
  deviceId: string;
  runId: string | null;
  type: TaskType;
  lane: Lane;
  parameters: string;
  timeoutMs: number;
  force: boolean;
  expiresAt: Instant;
}

export interface FinishedTask {
  deviceId: string;
  code: string;
  attempt: number;
  outcome: 'COMPLETED' | 'FAILED';
  message: string | null;
  errorCode: string | null;
  errorMessage: string | null;
  /** JSON text. */
  result: string | null;
}

export interface TaskFilter {
  organizationId: string;
  deviceIds?: string[];
  status?: TaskState;
  type?: TaskType;
  expired?: boolean;
  createdAfter?: Instant;
  createdBefore?: Instant;
  runId?: string;
  sortBy: 'created_at' | 'updated_at' | 'scheduled_at' | 'expires_at' | 'status' | 'type' | 'device_name';
  descending: boolean;
}

/** Which task a device means: codes are only valid together with the device that holds them. */
export interface DeviceTask {
  deviceId: string;
  code: string;
}

/**
 * Tasks. Every move is one conditional update that names the state it leaves (`shared/task-state.ts`) and returns the moves that
 * were made: whoever is not among them lost the race. Live tasks are indexed apart from history.
 */
export interface TaskStore {
  /** All or none, in this order. Throws `AppError('conflict')` when a code is taken: the caller draws new codes. */
  insert(tasks: NewTask[]): Promise<void>;
  /** By code or id, within one organization (any, when undefined: only for the controller itself). */
  get(organizationId: string | undefined, codeOrId: string): Promise<TaskRow | undefined>;
  getMany(keys: DeviceTask[]): Promise<TaskRow[]>;
  /** Tasks without the value that is sorted by come last. `createdAfter` is inclusive, `createdBefore` exclusive. */
  list(filter: TaskFilter, paging: Paging): Promise<PageOf<TaskRow>>;

  /** SCHEDULED → PENDING for what is due, oldest due first; `expires_at` counts from now. */
  activate(now: Instant, limit: number): Promise<TaskMove[]>;
  /** PENDING → EXPIRED for what is past `expires_at`, except tasks of `heldRuns` on `onlineDevices`, whose `expires_at` is set anew. */
  expire(now: Instant, limit: number, held: { runs: string[]; onlineDevices: string[] }): Promise<TaskMove[]>;
  /** IN_PROGRESS → FAILED `timed_out` for what is past `timeout_at`. */
  timeOut(now: Instant, limit: number): Promise<TaskMove[]>;
  /** The nearest of `scheduled_at`, `expires_at`, `timeout_at` of live tasks, so that the dispatcher knows when to look. */
  nextDeadline(): Promise<Instant | undefined>;

  /** SCHEDULED, PENDING → CANCELLED. With a code and message when something else than a person's wish ended them. */
  cancelWaiting(
    ids: string[],
    now: Instant,
    why?: { errorCode: string; errorMessage: string },
  ): Promise<TaskMove[]>;
  /** Notes the request on tasks that are IN_PROGRESS and have none yet; returns all of them that have one now. */
  requestCancel(ids: string[], now: Instant): Promise<TaskMove[]>;

  /** Devices that have PENDING tasks, among `deviceIds` when given. */
  devicesWithPending(deviceIds?: string[]): Promise<string[]>;
  /** The oldest PENDING, unexpired tasks per (device, lane), at most `count` each, without those of `heldRuns`. Ordered by seq. */
  heads(
    wants: { deviceId: string; lane: Lane; count: number }[],
    now: Instant,
    heldRuns: string[],
  ): Promise<OfferableTask[]>;

  /** PENDING → IN_PROGRESS for accepted tasks that are still PENDING and not expired; `timeout_at` counts from now, plus `graceMs`. */
  start(accepted: DeviceTask[], now: Instant, graceMs: number): Promise<TaskMove[]>;
  /** PENDING → FAILED for tasks the device will never take. */
  refuse(
    refused: (DeviceTask & { errorCode: string; errorMessage: string })[],
    now: Instant,
  ): Promise<TaskMove[]>;
  /** A passing refusal: stays PENDING, the reason shows as message. */
  noteRefusal(refused: (DeviceTask & { message: string })[], now: Instant): Promise<void>;
  /** IN_PROGRESS → COMPLETED or FAILED: the first result wins. */
  finish(results: FinishedTask[], now: Instant): Promise<TaskMove[]>;
  /** IN_PROGRESS → CANCELLED where a cancel was requested; FAILED `interrupted` where none was. */
  confirmCancelled(tasks: DeviceTask[], now: Instant): Promise<TaskMove[]>;
  /** Keeps what came after the end, once per task, as evidence. */
  keepLate(late: (DeviceTask & { report: string })[], now: Instant): Promise<TaskMove[]>;
  progress(
    rows: (DeviceTask & {
      attempt: number;
      percent: number | null;
      message: string | null;
      poweringOff: boolean;
    })[],
    now: Instant,
  ): Promise<TaskMove[]>;

  /** IN_PROGRESS tasks of these devices. */
  inProgress(deviceIds: string[]): Promise<TaskRow[]>;
  /** IN_PROGRESS → FAILED with this code, for tasks by id. */
  fail(ids: string[], why: { errorCode: string; errorMessage: string }, now: Instant): Promise<TaskMove[]>;
  /** SCHEDULED, PENDING, IN_PROGRESS → FAILED `device_removed`. */
  failDevice(deviceId: string, now: Instant): Promise<TaskMove[]>;
  /** IN_PROGRESS SHUTDOWN tasks that reported powering off before `before`. */
  poweringOff(before: Instant): Promise<TaskRow[]>;

  /** Live tasks by state and type, for metrics. */
  countLive(): Promise<{ status: TaskState; type: TaskType; count: number }[]>;
  /** Deletes ended tasks (with their logs) completed before; at most `limit`; returns how many. */
  prune(before: Instant, limit: number): Promise<number>;
}

export class SqlTaskStore implements TaskStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  insert: TaskStore['insert'] = (rows) => insertTasks(this.#db, rows);

  get: TaskStore['get'] = (organizationId, codeOrId) => getTask(this.#db, organizationId, codeOrId);
  getMany: TaskStore['getMany'] = (keys) => getTasks(this.#db, keys);
  list: TaskStore['list'] = (filter, paging) => listTasks(this.#db, filter, paging);
  inProgress: TaskStore['inProgress'] = (deviceIds) => inProgress(this.#db, deviceIds);
  poweringOff: TaskStore['poweringOff'] = (before) => poweringOff(this.#db, before);

  nextDeadline: TaskStore['nextDeadline'] = () => nextDeadline(this.#db);
  devicesWithPending: TaskStore['devicesWithPending'] = (ids) => devicesWithPending(this.#db, ids);
  heads: TaskStore['heads'] = (wants, now, heldRuns) => heads(this.#db, wants, now, heldRuns);
  countLive: TaskStore['countLive'] = () => countLive(this.#db);

  activate: TaskStore['activate'] = (now, limit) => activate(this.#db, now, limit);
  expire: TaskStore['expire'] = (now, limit, held) => expire(this.#db, now, limit, held);
  timeOut: TaskStore['timeOut'] = (now, limit) => timeOut(this.#db, now, limit);

  cancelWaiting: TaskStore['cancelWaiting'] = (ids, now, why) => cancelWaiting(this.#db, ids, now, why);
  requestCancel: TaskStore['requestCancel'] = (ids, now) => requestCancel(this.#db, ids, now);
  fail: TaskStore['fail'] = (ids, why, now) => fail(this.#db, ids, why, now);
  failDevice: TaskStore['failDevice'] = (deviceId, now) => failDevice(this.#db, deviceId, now);

  start: TaskStore['start'] = (accepted, now, graceMs) => start(this.#db, accepted, now, graceMs);
  refuse: TaskStore['refuse'] = (refused, now) => refuse(this.#db, refused, now);
  noteRefusal: TaskStore['noteRefusal'] = (refused, now) => noteRefusal(this.#db, refused, now);
  finish: TaskStore['finish'] = (results, now) => finish(this.#db, results, now);
  confirmCancelled: TaskStore['confirmCancelled'] = (keys, now) => confirmCancelled(this.#db, keys, now);
  keepLate: TaskStore['keepLate'] = (late, now) => keepLate(this.#db, late, now);
  progress: TaskStore['progress'] = (rows, now) => progress(this.#db, rows, now);

  prune: TaskStore['prune'] = (before, limit) => pruneTasks(this.#db, before, limit);
}
