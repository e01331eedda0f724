import { AppError } from '../../shared/errors.ts';
import type { Clock, Instant } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { deviceZone } from '../../shared/zone-name.ts';
import type { Bus } from '../bus/bus.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { DueTime, ScheduledTaskRow, ScheduleRow } from '../store/schedules.ts';
import type { Store } from '../store/store.ts';
import type { Submission } from '../tasks/submit.ts';
import { candidates } from '../tasks/target-candidates.ts';
import { resolveTargets } from '../tasks/targets.ts';
import { knownZone } from './due-times.ts';
import { type KindParts, readRequest, type ReadRequest, type Submit } from './kinds.ts';
import { firingData, noteSkipped, scheduleEvent } from './schedule-events.ts';

export interface FirerParts extends KindParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  log: Logger;
  submit: Submit;
}

export interface ToFire {
  time: DueTime;
  task: ScheduledTaskRow;
  fireAt: Instant;
}

/** Somebody else fired it, or it is no longer to fire: nothing is wrong. */
class NotClaimed extends Error {}

/** Firings under way at a time: as many as share a commit, so that commits are full. */
const atOnce = 128;

/** Makes the runs of firings, each in the commit that notes the firing. */
export class Firer {
  readonly #parts: FirerParts;

  constructor(parts: FirerParts) {
    this.#parts = parts;
  }

  /** Tells of each whether it fired; undefined when it could not be decided. */
  async fireAll(
    all: ToFire[],
    tell: (one: ToFire, fired: boolean | undefined) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const organizations = new Map<string, OrganizationRow>();
    for (const { time } of all) {
      const { organizationId } = time.schedule;
      if (organizations.has(organizationId)) continue;
      const found = await this.#parts.store.access.organization(organizationId);
      if (found) organizations.set(organizationId, found);
    }
    const waiting = all[Symbol.iterator]();
    const work = async () => {
      for (const one of waiting) {
        if (signal.aborted) return;
        const organization = organizations.get(one.time.schedule.organizationId);
        tell(one, organization === undefined ? false : await this.#fire(one, organization));
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, work));
  }

  async #fire(one: ToFire, organization: OrganizationRow): Promise<boolean | undefined> {
    const { clock, log } = this.#parts;
    const { time, task, fireAt } = one;
    const { schedule } = time;
    const firing = { scheduleId: time.scheduleId, task: task.code, fireAt, zone: time.zone, at: clock.now() };
    let claimed = false;
    try {
      const request = await readRequest(
        this.#parts,
        { organizationId: organization.id, releases: this.#parts.store.releases },
        { kind: task.kind, request: JSON.parse(task.request) },
      );
      const targets = await this.#targets(request, time);
      if (targets === undefined) return false;
      const order = { actor: actorOf(time.schedule), organization, targets };
      await request.submit(this.#parts, order, (submission) =>
        this.#parts.submit({
          ...submission,
          ...scheduled(time.schedule, task),
          alongside: async (tables, answer) => {
            await submission.alongside?.(tables, answer);
            claimed = await tables.schedules.claim({
              ...firing,
              nextAt: time.nextAt,
              runId: answer.run ?? '',
            });
            if (!claimed) throw new NotClaimed();
            const told = { at: firing.at, runId: answer.run, ...firingData(task.code, fireAt) };
            await tables.events.append([scheduleEvent('schedule.fired', schedule, told)]);
          },
        }),
      );
      if (claimed) log.info({ schedule: time.schedule.name, scheduledTask: task.code }, 'schedule fired');
      else await noteSkipped(this.#parts, [{ ...firing, schedule, reason: 'there was nothing to do' }]);
      return claimed;
    } catch (error) {
      if (error instanceof NotClaimed) return false;
      if (!(error instanceof AppError) || error.retryable || error.code === 'conflict') {
        log.error(
          { err: error, schedule: time.schedule.name },
          'schedule could not fire, the next look tries again',
        );
        return undefined;
      }
      const what = { schedule: time.schedule.name, scheduledTask: task.code, reason: error.message };
      log.warn(what, 'schedule skipped');
      const reason = error.message.slice(0, 1000);
      await noteSkipped(this.#parts, [{ ...firing, schedule, reason }]);
      return false;
    }
  }

  /** Of a schedule that follows its devices, those that are in the zone; undefined when none is. */
  async #targets(
    request: ReadRequest,
    { schedule, zone }: DueTime,
  ): Promise<ReadRequest['targets'] | undefined> {
    if (schedule.timezone !== deviceZone) return request.targets;
    const { devices, schedules } = this.#parts.store;
    if (request.type === 'AGENT_TASK') {
      throw new AppError(
        'bad_request',
        'an agent task is in no device’s zone: expected an IANA name as the zone of its schedule',
      );
    }
    const found = await candidates(devices, schedule.organizationId, request.targets);
    const able = resolveTargets(request.targets, found, request.type).devices;
    const zones = await schedules.deviceZones(schedule.organizationId);
    const here = new Set(zones.filter((one) => knownZone(one.zone) === zone).map(({ name }) => name));
    const names = able.map(({ name }) => name).filter((name) => here.has(name));
    return names.length === 0 ? undefined : { devices: names };
  }
}

/** Says in the audit log and on tasks who wished it. */
const actorOf = ({ name, organizationId }: ScheduleRow) => ({
  name: `schedule ${name}`,
  organizationId,
  ipAddress: null,
  requestId: null,
});

/** What a run of a schedule has beyond others. */
export const scheduled = (
  { id, name, maxRetries, retryDelayMs }: ScheduleRow,
  { code }: { code: string },
): Pick<Submission, 'trigger' | 'schedule' | 'retries'> => ({
  trigger: 'schedule',
  schedule: { id, name, task: code },
  retries: { max: maxRetries, delayMs: retryDelayMs },
});
