import type { Instant } from '../../shared/clock.ts';
import { deviceZone, isZone } from '../../shared/zone-name.ts';
import type { ScheduleRow, ScheduleStore, ScheduleTime } from '../store/schedules.ts';
import { type CronExpression, nextFiring, parseCron } from './cron.ts';
import { Zones } from './zones.ts';

/** Where a device is that does not say it, or says something that is no zone. */
export const defaultZone = 'UTC';
/** Expressions kept parsed: thousands of schedules share a few. */
const maxExpressions = 1_000;

/** When schedules are due. */
export class DueTimes {
  readonly #schedules: Pick<ScheduleStore, 'deviceZones'>;
  readonly #zones = new Zones();
  readonly #expressions = new Map<string, CronExpression>();

  constructor(schedules: Pick<ScheduleStore, 'deviceZones'>) {
    this.#schedules = schedules;
  }

  /** The first time after `after`. */
  next(cron: string, zone: string, after: Instant): Instant | undefined {
    return nextFiring(this.#parsed(cron), this.#zones.get(zone), after);
  }

  /** The next `count` times in all of these zones together. */
  preview(cron: string, zones: string[], { after, count }: { after: Instant; count: number }) {
    const times = zones.flatMap((zone) => {
      const found: { at: Instant; zone: string }[] = [];
      for (let at = this.next(cron, zone, after); at !== undefined && found.length < count; ) {
        found.push({ at, zone });
        at = this.next(cron, zone, at);
      }
      return found;
    });
    return times
      .sort((left, right) => left.at - right.at || (left.zone < right.zone ? -1 : 1))
      .slice(0, count);
  }

  /** The zones that a schedule is due in: the one it names, or those its organization's devices are in. */
  async zonesOf({
    timezone,
    organizationId,
  }: Pick<ScheduleRow, 'timezone' | 'organizationId'>): Promise<string[]> {
    if (timezone !== deviceZone) return [timezone];
    const devices = await this.#schedules.deviceZones(organizationId);
    return [...new Set(devices.map(({ zone }) => knownZone(zone)))].sort();
  }

  async of(schedule: ScheduleRow, now: Instant): Promise<ScheduleTime[]> {
    return (await this.zonesOf(schedule)).flatMap((zone) => {
      const nextAt = this.next(schedule.cron, zone, now);
      return nextAt === undefined ? [] : [{ scheduleId: schedule.id, zone, nextAt }];
    });
  }

  #parsed(cron: string): CronExpression {
    const known = this.#expressions.get(cron);
    if (known) return known;
    if (this.#expressions.size >= maxExpressions) this.#expressions.clear();
    const parsed = parseCron(cron);
    this.#expressions.set(cron, parsed);
    return parsed;
  }
}

export const knownZone = (zone: string | null): string =>
  zone !== null && isZone(zone) ? zone : defaultZone;
