import type { Clock, Instant } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Bus } from '../bus/bus.ts';
import type { Advance, DueTime, FiringKey, NewFiring, ScheduledTaskRow } from '../store/schedules.ts';
import type { Store } from '../store/store.ts';
import { WakeUp } from '../tasks/wake-up.ts';
import { DueTimes } from './due-times.ts';
import { Firer } from './firer.ts';
import { type FiringPlan, planFiring } from './firing-plan.ts';
import { noteSkipped, type Skipped } from './schedule-events.ts';
import type { KindParts, Submit } from './kinds.ts';

export interface SchedulerParts extends KindParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  log: Logger;
  submit: Submit;
  settings: { pollMs: number; scheduleGraceMs: number };
}

/** Due times looked at together. */
const batch = 500;
/** While nothing is scheduled at all, a wake-up that was lost costs so long. */
const idleMs = 10_000;
/** How often the zones of devices are looked at. */
const zonesEveryMs = 60_000;
/** A clock that goes back by less is taken for slow, not for wrong. */
const backwardsMs = 1_000;

interface Planned {
  time: DueTime;
  plan: FiringPlan;
  tasks: ScheduledTaskRow[];
}

/**
 * Fires what is due.
 *
 * - The store says what is due; wake-ups only make the look come sooner.
 * - A firing and its run are one commit, and a firing is claimed once: neither a crash nor a second controller fires twice.
 * - A time moves on only after all that belongs to it is noted: what a crash left undone is done by the next look.
 * - What came while nobody looked fires once when it is not older than the grace, else it is noted as missed.
 */
export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #times: DueTimes;
  readonly #firer: Firer;
  readonly #wakeUp = new WakeUp();
  #lastLook: Instant | undefined;
  #zonesDue = -Infinity;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.#times = new DueTimes(parts.store.schedules);
    this.#firer = new Firer(parts);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { bus, log } = this.#parts;
    const unsubscribe = bus.subscribe('schedules', () => this.#wakeUp.call());
    while (!signal.aborted) {
      try {
        await this.#look(signal);
      } catch (error) {
        log.error({ err: error }, 'looking for due schedules failed, the next look tries again');
      }
      await this.#wait(signal);
    }
    unsubscribe();
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { clock, store, settings } = this.#parts;
    if (signal.aborted) return;
    const due = await store.schedules.nextDue().catch(() => 0);
    const over = new AbortController();
    const slept = clock
      .sleep(untilLook(due, clock.now(), settings.pollMs), AbortSignal.any([signal, over.signal]))
      .then(
        () => this.#wakeUp.call(),
        () => undefined,
      );
    await this.#wakeUp.wait(signal);
    over.abort();
    await slept;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, store } = this.#parts;
    const now = clock.now();
    if (this.#lastLook === undefined || now < this.#lastLook - backwardsMs) await this.#lookAgainFrom(now);
    this.#lastLook = now;
    if (clock.monotonic() >= this.#zonesDue) {
      this.#zonesDue = clock.monotonic() + zonesEveryMs;
      await this.#learnZones(now);
    }
    while (!signal.aborted) {
      const due = await store.schedules.due(clock.now(), batch);
      if (due.length === 0 || !(await this.#fire(due, signal)) || due.length < batch) return;
    }
  }

  /** Times that were computed when the clock showed a later time would come too late, or never: what fired does not fire again. */
  async #lookAgainFrom(now: Instant): Promise<void> {
    const { store, log } = this.#parts;
    const ahead = await store.schedules.computedAfter(now + backwardsMs);
    if (ahead.length === 0) return;
    log.warn({ schedules: ahead.length }, 'the clock was put back, computing anew when schedules are due');
    await store.schedules.advance(
      ahead.map((time) => ({
        ...time,
        next: this.#times.next(time.schedule.cron, time.zone, now) ?? null,
        fired: [],
      })),
      now,
    );
  }

  /** Devices may have come to zones that a schedule does not know yet. */
  async #learnZones(now: Instant): Promise<void> {
    const { schedules } = this.#parts.store;
    for (const schedule of await schedules.ofDeviceZones()) {
      const known = new Set((await schedules.times([schedule.id])).map(({ zone }) => zone));
      const times = await this.#times.of(schedule, now);
      await schedules.addTimes(
        times.filter(({ zone }) => !known.has(zone)),
        now,
      );
    }
  }

  /** False when something could not be done: the next look tries again. */
  async #fire(due: DueTime[], signal: AbortSignal): Promise<boolean> {
    const { clock, store } = this.#parts;
    const now = clock.now();
    const planned = await this.#plan(due, now);
    const toFire = await this.#split(planned, now);

    const done = new Map<DueTime, Advance | undefined>();
    for (const { time, plan } of planned) {
      done.set(time, { ...time, next: plan.next ?? null, fired: [] });
    }
    await this.#firer.fireAll(
      toFire,
      ({ time, task, fireAt }, fired) => {
        if (fired === undefined) done.set(time, undefined);
        else if (fired) done.get(time)?.fired.push({ task: task.code, at: fireAt });
      },
      signal,
    );
    if (signal.aborted) return false;
    const finished = [...done.values()].filter((one) => one !== undefined);
    await store.schedules.advance(finished, clock.now());
    return finished.length === done.size;
  }

  async #plan(due: DueTime[], now: Instant): Promise<Planned[]> {
    const { store, settings } = this.#parts;
    const tasks = Map.groupBy(
      await store.schedules.tasksOf([...new Set(due.map(({ scheduleId }) => scheduleId))]),
      ({ scheduleId }) => scheduleId,
    );
    return due.map((time) => ({
      time,
      tasks: (tasks.get(time.scheduleId) ?? []).filter(({ enabled }) => enabled),
      plan: planFiring(time.nextAt, now, {
        graceMs: settings.scheduleGraceMs,
        nextAfter: (at) => this.#times.next(time.schedule.cron, time.zone, at),
      }),
    }));
  }

  /** Notes what does not fire, and returns what does. */
  async #split(planned: Planned[], now: Instant): Promise<Parameters<Firer['fireAll']>[0]> {
    const { store } = this.#parts;
    const all = planned.flatMap(({ time, plan, tasks }) =>
      tasks.map((task) => ({ time, plan, task, zone: time.zone })),
    );
    const wanted = all.flatMap(({ plan: { fireAt }, ...one }) =>
      fireAt === undefined ? [] : [{ ...one, fireAt }],
    );
    const keyOf = ({ task, fireAt, zone }: FiringKey) => `${task} ${fireAt} ${zone}`;
    const noted = new Set(
      (await store.schedules.noted(wanted.map(({ task, ...one }) => ({ ...one, task: task.code })))).map(
        keyOf,
      ),
    );
    const fresh = wanted.filter(({ task, ...one }) => !noted.has(keyOf({ ...one, task: task.code })));
    const careful = fresh.filter(({ time }) => time.schedule.overlap === 'skip');
    const busy = new Set(
      (await store.schedules.busy(careful.map(({ task, zone }) => ({ task: task.code, zone })))).map(
        ({ task, zone }) => `${task} ${zone}`,
      ),
    );
    const isBusy = ({ task, zone, time }: (typeof fresh)[number]) =>
      time.schedule.overlap === 'skip' && busy.has(`${task.code} ${zone}`);

    const firing = (time: DueTime, task: ScheduledTaskRow, fireAt: Instant): NewFiring => ({
      scheduleId: time.scheduleId,
      task: task.code,
      fireAt,
      zone: time.zone,
      at: now,
    });
    await this.#skip([
      ...all.flatMap(({ time, task, plan: { missed } }) =>
        missed ? [{ ...firing(time, task, missed.at), reason: missed.reason, schedule: time.schedule }] : [],
      ),
      ...fresh.filter(isBusy).map(({ time, task, fireAt }) => ({
        ...firing(time, task, fireAt),
        reason: 'overlap: a run of it is still open',
        schedule: time.schedule,
      })),
    ]);
    return fresh.filter((one) => !isBusy(one)).map(({ time, task, fireAt }) => ({ time, task, fireAt }));
  }

  async #skip(skipped: Skipped[]): Promise<void> {
    const { log } = this.#parts;
    await noteSkipped(this.#parts, skipped);
    for (const { schedule, task, fireAt, reason } of skipped) {
      log.warn(
        { schedule: schedule.name, scheduledTask: task, at: new Date(fireAt).toISOString(), reason },
        'schedule skipped',
      );
    }
  }
}

/** Never longer than a poll while something is scheduled: the wall clock may jump. What is due still could not be done just now. */
const untilLook = (due: Instant | undefined, now: Instant, pollMs: number): number => {
  if (due === undefined) return idleMs;
  return due <= now ? pollMs : Math.min(pollMs, due - now);
};
