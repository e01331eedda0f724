import type { EventType } from '../../shared/api/events.ts';
import type { Instant } from '../../shared/clock.ts';
import type { Bus } from '../bus/bus.ts';
import type { NewEvent } from '../store/events.ts';
import type { NewFiring, ScheduleRow } from '../store/schedules.ts';
import type { Store } from '../store/store.ts';

type ScheduleEventType = Extract<EventType, `schedule.${string}`>;

/** What the stream tells of a schedule. It is named in the data, for one that is deleted is found nowhere else. */
export const scheduleEvent = (
  type: ScheduleEventType,
  { name, organizationId }: Pick<ScheduleRow, 'name' | 'organizationId'>,
  { at, runId = null, ...data }: { at: Instant; runId?: string | null } & Record<string, unknown>,
): NewEvent => ({
  type,
  at,
  organizationId,
  deviceId: null,
  taskId: null,
  runId,
  data: { schedule: name, ...data },
});

/** A firing that will not be, of which schedule, and why. */
export type Skipped = NewFiring & {
  reason: string;
  schedule: Pick<ScheduleRow, 'name' | 'organizationId'>;
};

/** Notes what does not fire and tells of it, each once however often it comes. */
export async function noteSkipped(
  { store, bus }: { store: Store; bus: Bus },
  skipped: Skipped[],
): Promise<void> {
  if (skipped.length === 0) return;
  await store.transaction(async (tables) => {
    const noted = await tables.schedules.skip(skipped.map(({ schedule: _, ...firing }) => firing));
    const keys = new Set(noted.map(keyOf));
    await tables.events.append(
      skipped
        .filter((one) => keys.has(keyOf(one)))
        .map(({ schedule, task, fireAt, reason, at }) =>
          scheduleEvent('schedule.skipped', schedule, { at, ...firingData(task, fireAt), reason }),
        ),
    );
  });
  bus.publish('events', {});
}

/** Which firing an event is about. */
export const firingData = (task: string, fireAt: Instant) => ({
  scheduled_task: task,
  fire_at: new Date(fireAt).toISOString(),
});

const keyOf = ({ task, fireAt, zone }: Pick<NewFiring, 'task' | 'fireAt' | 'zone'>): string =>
  `${task} ${fireAt} ${zone}`;
