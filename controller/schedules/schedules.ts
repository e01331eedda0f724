import type {
  ChangeSchedule,
  ChangeScheduledTask,
  CreateSchedule,
  CreateScheduledTask,
  RunScheduleAnswer,
} from '../../shared/api/schedules.ts';
import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { drawTaskCode } from '../../shared/ids.ts';
import { deviceZone, requireZone } from '../../shared/zone-name.ts';
import type { Bus } from '../bus/bus.ts';
import type { Actor } from '../devices/actor.ts';
import type { OrganizationRow } from '../store/access.ts';
import type {
  NewScheduledTask,
  ScheduledKind,
  ScheduledTaskRow,
  ScheduleRow,
  ScheduleValues,
} from '../store/schedules.ts';
import type { StoreTables } from '../store/store.ts';
import type { Submission } from '../tasks/submit.ts';
import { candidates } from '../tasks/target-candidates.ts';
import { requireNames } from '../tasks/unknown-names.ts';
import { parseCron } from './cron.ts';
import { DueTimes } from './due-times.ts';
import { scheduled } from './firer.ts';
import { type KindParts, readRequest, type Submit } from './kinds.ts';
import { scheduleEvent } from './schedule-events.ts';
import { requestInBrief } from './request-in-brief.ts';

export interface SchedulesParts extends KindParts {
  bus: Bus;
  random: Random;
  submit: Submit;
}

/** So many schedules in one organization, and tasks in one schedule. */
const maxSchedules = 20_000;
const maxTasks = 100;
const dayMs = 86_400_000;

/** What people do with schedules. Whatever changes when something is due is committed with the times that follow from it. */
export class Schedules {
  readonly #parts: SchedulesParts;
  readonly #times: DueTimes;

  constructor(parts: SchedulesParts) {
    this.#parts = parts;
    this.#times = new DueTimes(parts.store.schedules);
  }

  /** Throws `not_found`. */
  async get(organizationId: string, nameOrId: string): Promise<ScheduleRow> {
    return found(this.#parts.store, organizationId, nameOrId);
  }

  async create(actor: Actor, wish: CreateSchedule): Promise<ScheduleRow> {
    const { store, clock, random } = this.#parts;
    const now = clock.now();
    const values = valuesOf(wish, {
      name: wish.name,
      description: '',
      enabled: true,
      cron: '',
      timezone: 'UTC',
      overlap: 'skip',
      maxRetries: 0,
      retryDelayMs: 60_000,
    });
    const id = random.uuid();
    const { organizationId, name: createdBy } = actor;
    const tasks = wish.scheduled_tasks ?? [];
    const row = await store.transaction(async (tables) => {
      const { total } = await tables.schedules.list(organizationId, { page: 1, perPage: 1 });
      if (total >= maxSchedules) {
        throw new AppError(
          'conflict',
          `There are ${total} schedules already: expected at most ${maxSchedules}`,
        );
      }
      await tables.schedules.insert({ ...values, id, organizationId, createdBy, createdAt: now });
      for (const task of tasks) {
        const what = { ...task, scheduleId: id, enabled: true };
        await tables.schedules.insertTask(await this.#newTask(tables, actor, what));
      }
      await this.#setTimes(tables, await found(tables, organizationId, id));
      await this.#tell(tables, actor, 'schedule.create', values.name, { ...values, tasks: tasks.length });
      return found(tables, organizationId, id);
    });
    this.#changed();
    return row;
  }

  /** What is absent stays. What it runs can be changed together with it. */
  async change(
    actor: Actor,
    nameOrId: string,
    wish: ChangeSchedule,
    task?: ChangeScheduledTask & { code: string },
  ): Promise<ScheduleRow> {
    const { store, clock } = this.#parts;
    const row = await store.transaction(async (tables) => {
      const before = await found(tables, actor.organizationId, nameOrId);
      const values = valuesOf(wish, before);
      await tables.schedules.update(before.id, values, clock.now());
      const changed = await found(tables, actor.organizationId, before.id);
      const isDueAnew =
        values.cron !== before.cron ||
        values.timezone !== before.timezone ||
        values.enabled !== before.enabled;
      if (isDueAnew) await this.#setTimes(tables, changed);
      await this.#tell(tables, actor, auditAction(before, values), before.name, { ...wish });
      if (task !== undefined) await this.#changeTask(tables, actor, task);
      return found(tables, actor.organizationId, before.id);
    });
    this.#changed();
    return row;
  }

  /** Its runs stay; what it runs and its firings go. */
  async remove(actor: Actor, nameOrId: string): Promise<void> {
    await this.#parts.store.transaction(async (tables) => {
      const { id, name } = await found(tables, actor.organizationId, nameOrId);
      await tables.schedules.remove(id);
      await this.#tell(tables, actor, 'schedule.delete', name, {});
    });
    this.#changed();
  }

  /** The next firings, by when the schedule would be enabled. */
  async preview(
    organizationId: string,
    what: { cron: string; timezone: string },
    count: number,
  ): Promise<{ cron: string; timezone: string; firings: { at: number; zone: string }[] }> {
    const cron = parseCron(what.cron).text;
    if (what.timezone !== deviceZone) requireZone(what.timezone);
    const zones = await this.#times.zonesOf({ ...what, organizationId });
    const firings = this.#times.preview(cron, zones, { after: this.#parts.clock.now(), count });
    return { cron, timezone: what.timezone, firings };
  }

  async addTask(actor: Actor, wish: CreateScheduledTask): Promise<ScheduledTaskRow> {
    const { store } = this.#parts;
    const row = await store.transaction(async (tables) => {
      const schedule = await found(tables, actor.organizationId, wish.schedule);
      if ((await tables.schedules.tasksOf([schedule.id])).length >= maxTasks) {
        throw new AppError(
          'conflict',
          `Schedule ${schedule.name} runs ${maxTasks} things already: that is the most`,
        );
      }
      const task = await this.#newTask(tables, actor, { ...wish, scheduleId: schedule.id });
      await tables.schedules.insertTask(task);
      const detail = { schedule: schedule.name, kind: task.kind, request: requestInBrief(wish.request) };
      await this.#tell(tables, actor, 'scheduled_task.create', task.code, detail);
      return foundTask(tables, actor.organizationId, task.code);
    });
    this.#changed();
    return row;
  }

  async changeTask(actor: Actor, code: string, wish: ChangeScheduledTask): Promise<ScheduledTaskRow> {
    const row = await this.#parts.store.transaction(async (tables) => {
      await this.#changeTask(tables, actor, { ...wish, code });
      return foundTask(tables, actor.organizationId, code);
    });
    this.#changed();
    return row;
  }

  async #changeTask(
    tables: StoreTables,
    actor: Actor,
    { code, ...wish }: ChangeScheduledTask & { code: string },
  ): Promise<void> {
    const before = await foundTask(tables, actor.organizationId, code);
    const kind = wish.kind ?? before.kind;
    const request =
      wish.request === undefined && wish.kind === undefined
        ? before.request
        : await this.#checked(tables, actor, { kind, request: wish.request ?? JSON.parse(before.request) });
    const enabled = wish.enabled ?? before.enabled;
    await tables.schedules.setTask(code, { enabled, kind, request }, this.#parts.clock.now());
    const detail = {
      ...wish,
      ...(wish.request === undefined ? {} : { request: requestInBrief(wish.request) }),
      schedule: before.scheduleName,
    };
    await this.#tell(tables, actor, 'scheduled_task.update', code, detail);
  }

  async removeTask(actor: Actor, code: string): Promise<void> {
    await this.#parts.store.transaction(async (tables) => {
      const { scheduleName: schedule } = await foundTask(tables, actor.organizationId, code);
      await tables.schedules.removeTask(code);
      await this.#tell(tables, actor, 'scheduled_task.delete', code, { schedule });
    });
    this.#changed();
  }

  /**
   * Runs what a schedule runs, now, whether it is enabled or not. Throws when it runs nothing, or when none of it could be run. Under the
   * same key each scheduled task is run once: what was refused is tried again.
   */
  async runNow(
    actor: Actor,
    organization: OrganizationRow,
    nameOrId: string,
    idempotency?: Submission['idempotency'],
  ): Promise<RunScheduleAnswer> {
    const { store } = this.#parts;
    const schedule = await found(store, organization.id, nameOrId);
    const tasks = (await store.schedules.tasksOf([schedule.id])).filter(({ enabled }) => enabled);
    if (tasks.length === 0) {
      throw new AppError('conflict', `Schedule ${schedule.name} has no enabled scheduled task to run`);
    }
    const runs: RunScheduleAnswer['runs'] = [];
    let refused: AppError | undefined;
    for (const task of tasks) {
      try {
        const key = idempotency && { ...idempotency, key: `${idempotency.key} ${task.code}` };
        runs.push(await this.#runTask({ actor, organization }, schedule, task, key));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        refused ??= error;
        runs.push({ scheduled_task: task.code, run: null, total: 0, error: error.message });
      }
    }
    if (refused !== undefined && runs.every(({ run }) => run === null)) throw refused;
    return { schedule: schedule.name, runs };
  }

  async #runTask(
    who: { actor: Actor; organization: OrganizationRow },
    schedule: ScheduleRow,
    task: ScheduledTaskRow,
    idempotency?: Submission['idempotency'],
  ): Promise<RunScheduleAnswer['runs'][number]> {
    const now = this.#parts.clock.now();
    const firing = { scheduleId: schedule.id, task: task.code, fireAt: now, zone: '', at: now };
    let made: { run: string; total: number } | undefined;
    const request = await readRequest(
      this.#parts,
      { organizationId: who.organization.id, releases: this.#parts.store.releases },
      { kind: task.kind, request: JSON.parse(task.request) },
    );
    await request.submit(this.#parts, { ...who, targets: request.targets }, async (submission) => {
      const submitted = await this.#parts.submit({
        ...submission,
        ...scheduled(schedule, task),
        trigger: 'manual',
        ...(idempotency && { idempotency }),
        alongside: async (tables, answer) => {
          await submission.alongside?.(tables, answer);
          await tables.schedules.noteManual({ ...firing, runId: answer.run ?? '' });
        },
      });
      made = { run: submitted.answer.run ?? '', total: submitted.answer.total };
      return submitted;
    });
    return {
      scheduled_task: task.code,
      run: null,
      total: 0,
      ...made,
      error: made ? null : 'there was nothing to do',
    };
  }

  async #newTask(
    tables: StoreTables,
    actor: Actor,
    what: { scheduleId: string; kind: ScheduledKind; request: unknown; enabled: boolean },
  ): Promise<NewScheduledTask> {
    const { clock, random } = this.#parts;
    const { organizationId, name: createdBy } = actor;
    const { scheduleId, kind, enabled } = what;
    if (kind === 'AGENT_TASK') this.#parts.agentTasks?.requireModel();
    const request = await this.#checked(tables, actor, what);
    const code = drawTaskCode(random);
    return { code, scheduleId, organizationId, kind, request, enabled, createdBy, createdAt: clock.now() };
  }

  /** A request as it is kept: with defaults filled in. Throws `unresolved_targets` for names of devices that do not exist. */
  async #checked(
    { devices, releases }: StoreTables,
    { organizationId }: Actor,
    what: { kind: ScheduledKind; request: unknown },
  ): Promise<string> {
    const { body, targets } = await readRequest(this.#parts, { organizationId, releases }, what);
    requireNames(targets, await candidates(devices, organizationId, targets));
    return JSON.stringify(body);
  }

  async #setTimes(tables: StoreTables, schedule: ScheduleRow): Promise<void> {
    const now = this.#parts.clock.now();
    const times = schedule.enabled ? await new DueTimes(tables.schedules).of(schedule, now) : [];
    await tables.schedules.setTimes(schedule.id, times, now);
  }

  /** Writes a change down, and tells of it. */
  async #tell(
    tables: StoreTables,
    actor: Actor,
    action: AuditAction,
    target: string,
    detail: Record<string, unknown>,
  ): Promise<void> {
    const { organizationId, name, ipAddress, requestId } = actor;
    const at = this.#parts.clock.now();
    await tables.audit.append([
      { at, organizationId, actor: name, action, target, detail, ipAddress, requestId },
    ]);
    const schedule = {
      organizationId,
      name: action.startsWith('schedule.') ? target : String(detail['schedule']),
    };
    await tables.events.append([scheduleEvent(eventOf(action), schedule, { at, by: name, change: action })]);
  }

  #changed(): void {
    this.#parts.bus.publish('schedules', {});
    this.#parts.bus.publish('events', {});
  }
}

const eventOf = (action: AuditAction) => {
  if (action === 'schedule.create') return 'schedule.created';
  return action === 'schedule.delete' ? 'schedule.deleted' : 'schedule.changed';
};

/** What is wished over what there is, checked. */
function valuesOf(wish: ChangeSchedule, before: ScheduleValues): ScheduleValues {
  if (wish.cron !== undefined && wish.schedule !== undefined) {
    throw new AppError(
      'exclusive_options',
      'Only one of cron and schedule can be given: both are the expression',
    );
  }
  const cron = parseCron(wish.cron ?? wish.schedule ?? before.cron).text;
  const timezone = wish.timezone ?? before.timezone;
  if (timezone !== deviceZone) requireZone(timezone);
  return {
    name: wish.name ?? before.name,
    description: wish.description ?? before.description,
    enabled: wish.enabled ?? before.enabled,
    cron,
    timezone,
    overlap: wish.overlap ?? before.overlap,
    maxRetries: wish.max_retries ?? before.maxRetries,
    retryDelayMs:
      wish.retry_delay_seconds === undefined
        ? before.retryDelayMs
        : Math.min(wish.retry_delay_seconds * 1000, dayMs),
  };
}

const auditAction = (before: ScheduleValues, after: ScheduleValues): AuditAction => {
  if (before.enabled === after.enabled) return 'schedule.update';
  return after.enabled ? 'schedule.enable' : 'schedule.disable';
};

async function found(
  { schedules }: Pick<StoreTables, 'schedules'>,
  organizationId: string,
  nameOrId: string,
): Promise<ScheduleRow> {
  const row = await schedules.get(organizationId, nameOrId);
  if (row === undefined) throw new AppError('not_found', `Schedule ${nameOrId} does not exist`);
  return row;
}

async function foundTask(
  { schedules }: Pick<StoreTables, 'schedules'>,
  organizationId: string,
  code: string,
): Promise<ScheduledTaskRow> {
  const row = await schedules.task(organizationId, code);
  if (row === undefined) throw new AppError('not_found', `Scheduled task ${code} does not exist`);
  return row;
}
