import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging, Window } from './access.ts';
import type { Db } from './dialect.ts';
import * as firings from './firings.ts';
import * as rows from './schedule-rows.ts';
import * as times from './schedule-times.ts';

export type Overlap = 'skip' | 'allow';
export const scheduledKinds = ['RUN', 'SYNC', 'PULL', 'BACKUP', 'AGENT_TASK', 'PLUGIN_INSTALL'] as const;
export type ScheduledKind = (typeof scheduledKinds)[number];

/** What a person decides about a schedule. */
export interface ScheduleValues {
  name: string;
  description: string;
  enabled: boolean;
  cron: string;
  /** An IANA name, or `device`: of each device its own. */
  timezone: string;
  overlap: Overlap;
  maxRetries: number;
  retryDelayMs: number;
}

export interface NewSchedule extends ScheduleValues {
  id: string;
  organizationId: string;
  createdBy: string;
  createdAt: Instant;
}

export interface ScheduleRow extends NewSchedule {
  organizationName: string;
  updatedAt: Instant;
  /** When its time came last and something was run; `lastRunAt` also when a person ran it. */
  lastFiredAt: Instant | null;
  lastRunAt: Instant | null;
  nextRunAt: Instant | null;
}

/** One thing that a schedule runs. */
export interface NewScheduledTask {
  code: string;
  scheduleId: string;
  organizationId: string;
  kind: ScheduledKind;
  /** JSON text. */
  request: string;
  enabled: boolean;
  createdBy: string;
  createdAt: Instant;
}

export interface ScheduledTaskRow extends NewScheduledTask {
  scheduleName: string;
  updatedAt: Instant;
  lastFiredAt: Instant | null;
}

/** When a schedule is due in one zone. */
export interface ScheduleTime {
  scheduleId: string;
  zone: string;
  nextAt: Instant;
}

/** A time that has come, with what it takes to fire. */
export interface DueTime extends ScheduleTime {
  schedule: ScheduleRow;
}

export interface FiringKey {
  /** Code of the scheduled task. */
  task: string;
  fireAt: Instant;
  /** Empty for one that a person made. */
  zone: string;
}

export interface NewFiring extends FiringKey {
  scheduleId: string;
  at: Instant;
}

export interface FiringRow extends NewFiring {
  trigger: 'schedule' | 'manual';
  outcome: 'fired' | 'skipped';
  reason: string | null;
  runId: string | null;
}

/** A time that was dealt with, and the one that follows it (null: none). */
export interface Advance extends ScheduleTime {
  next: Instant | null;
  /** Scheduled tasks that fired, and when they were due. */
  fired: { task: string; at: Instant }[];
}

/**
 * Schedules, what they run, when they are due, and what became of each firing.
 *
 * - A firing is claimed with the time it belongs to: only while the schedule and its task are enabled and the time stands, and never
 *   twice for one (task, time, zone).
 * - Times move on by conditional updates that name the time they leave.
 */
export interface ScheduleStore {
  /** Throws `name_taken`. */
  insert(schedule: NewSchedule): Promise<void>;
  /** False when it is gone. Throws `name_taken`. */
  update(id: string, values: ScheduleValues, now: Instant): Promise<boolean>;
  /** By name or id. */
  get(organizationId: string, nameOrId: string): Promise<ScheduleRow | undefined>;
  /** By name. */
  list(organizationId: string, paging: Paging): Promise<PageOf<ScheduleRow>>;
  /** By name; those that run something, whose first task is of the kind when one is given. */
  listUsed(
    what: { organizationId: string; kind?: ScheduledKind },
    window: Window,
  ): Promise<PageOf<ScheduleRow>>;
  /** With its tasks, times and firings; false when it is gone. */
  remove(id: string): Promise<boolean>;

  /** Throws `conflict` when the code is taken. */
  insertTask(task: NewScheduledTask): Promise<void>;
  setTask(
    code: string,
    values: { enabled: boolean; kind: ScheduledKind; request: string },
    now: Instant,
  ): Promise<boolean>;
  task(organizationId: string, code: string): Promise<ScheduledTaskRow | undefined>;
  /** In order of creation; of one schedule when its name is given. */
  listTasks(
    organizationId: string,
    schedule: string | undefined,
    paging: Paging,
  ): Promise<PageOf<ScheduledTaskRow>>;
  tasksOf(scheduleIds: string[]): Promise<ScheduledTaskRow[]>;
  removeTask(code: string): Promise<boolean>;

  /** Replaces when it is due. */
  setTimes(scheduleId: string, times: Omit<ScheduleTime, 'scheduleId'>[], now: Instant): Promise<void>;
  /** Adds zones; those known already stay as they are. */
  addTimes(times: ScheduleTime[], now: Instant): Promise<void>;
  times(scheduleIds: string[]): Promise<ScheduleTime[]>;
  nextDue(): Promise<Instant | undefined>;
  /** What is due, oldest first. */
  due(now: Instant, limit: number): Promise<DueTime[]>;
  /** Times that were computed when the clock showed more than now: it was put back since. */
  computedAfter(now: Instant): Promise<DueTime[]>;
  /** Moves times on, and notes what fired. */
  advance(done: Advance[], now: Instant): Promise<void>;
  /** Schedules that follow the zones of devices and are enabled. */
  ofDeviceZones(): Promise<ScheduleRow[]>;
  /** Which zone each device of an organization says it is in (label `timezone`, else fact), null when it says none. */
  deviceZones(organizationId: string): Promise<{ name: string; zone: string | null }[]>;

  /** Notes that a due task fired with this run; false when it had fired, or is no longer to fire. `nextAt` is the time that stands. */
  claim(firing: NewFiring & { nextAt: Instant; runId: string }): Promise<boolean>;
  /** Notes that a person ran it. */
  noteManual(firing: NewFiring & { runId: string }): Promise<void>;
  /** Notes what did not fire and why; what is noted already stays. */
  skip(skipped: (NewFiring & { reason: string })[]): Promise<FiringKey[]>;
  /** Those of the keys that are noted. */
  noted(keys: FiringKey[]): Promise<FiringKey[]>;
  /** Of these tasks in these zones, those that have a run with open tasks. */
  busy(keys: { task: string; zone: string }[]): Promise<{ task: string; zone: string }[]>;
  /** Newest first. */
  firings(scheduleId: string, paging: Paging): Promise<PageOf<FiringRow>>;
  /** Ids of the runs that it made, newest first. */
  firedRuns(scheduleId: string, window: Window): Promise<PageOf<string>>;
  /** Deletes those made before; at most `limit`; returns how many. */
  pruneFirings(before: Instant, limit: number): Promise<number>;
}

export class SqlScheduleStore implements ScheduleStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  insert: ScheduleStore['insert'] = (schedule) => rows.insertSchedule(this.#db, schedule);
  update: ScheduleStore['update'] = (id, values, now) => rows.updateSchedule(this.#db, id, values, now);
  get: ScheduleStore['get'] = (organizationId, nameOrId) =>
    rows.getSchedule(this.#db, organizationId, nameOrId);
  list: ScheduleStore['list'] = (organizationId, paging) =>
    rows.listSchedules(this.#db, organizationId, paging);
  listUsed: ScheduleStore['listUsed'] = (what, window) => rows.listUsedSchedules(this.#db, what, window);
  remove: ScheduleStore['remove'] = (id) => rows.removeSchedule(this.#db, id);
  ofDeviceZones: ScheduleStore['ofDeviceZones'] = () => rows.schedulesOfDeviceZones(this.#db);

  insertTask: ScheduleStore['insertTask'] = (task) => rows.insertTask(this.#db, task);
  setTask: ScheduleStore['setTask'] = (code, values, now) => rows.setTask(this.#db, code, values, now);
  task: ScheduleStore['task'] = (organizationId, code) => rows.getTask(this.#db, organizationId, code);
  listTasks: ScheduleStore['listTasks'] = (organizationId, schedule, paging) =>
    rows.listTasks(this.#db, { organizationId, schedule }, paging);
  tasksOf: ScheduleStore['tasksOf'] = (ids) => rows.tasksOf(this.#db, ids);
  removeTask: ScheduleStore['removeTask'] = (code) => rows.removeTask(this.#db, code);

  setTimes: ScheduleStore['setTimes'] = (id, wanted, now) => times.setTimes(this.#db, id, wanted, now);
  addTimes: ScheduleStore['addTimes'] = (wanted, now) => times.addTimes(this.#db, wanted, now);
  times: ScheduleStore['times'] = (ids) => times.timesOf(this.#db, ids);
  nextDue: ScheduleStore['nextDue'] = () => times.nextDue(this.#db);
  due: ScheduleStore['due'] = (now, limit) => times.due(this.#db, now, limit);
  computedAfter: ScheduleStore['computedAfter'] = (now) => times.computedAfter(this.#db, now);
  advance: ScheduleStore['advance'] = (done, now) => times.advance(this.#db, done, now);
  deviceZones: ScheduleStore['deviceZones'] = (id) => times.deviceZones(this.#db, id);

  claim: ScheduleStore['claim'] = (firing) => firings.claim(this.#db, firing);
  noteManual: ScheduleStore['noteManual'] = (firing) => firings.noteManual(this.#db, firing);
  skip: ScheduleStore['skip'] = (skipped) => firings.skip(this.#db, skipped);
  noted: ScheduleStore['noted'] = (keys) => firings.noted(this.#db, keys);
  busy: ScheduleStore['busy'] = (keys) => firings.busy(this.#db, keys);
  firings: ScheduleStore['firings'] = (id, paging) => firings.listFirings(this.#db, id, paging);
  firedRuns: ScheduleStore['firedRuns'] = (id, window) => firings.firedRuns(this.#db, id, window);
  pruneFirings: ScheduleStore['pruneFirings'] = (before, limit) => firings.prune(this.#db, before, limit);
}
