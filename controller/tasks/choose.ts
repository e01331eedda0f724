import { type Lane, traitsOf } from '../../shared/task-types/task-type.ts';
import type { OnlineLink } from '../devices/online.ts';
import type { OfferableTask } from '../store/tasks.ts';

/** How many more tasks each rollout may hand out; runs that are not in it have no limits. */
export type RolloutSlots = Map<string, number>;

export interface Choice {
  chosen: { link: OnlineLink; task: OfferableTask }[];
  /** Devices whose oldest task waits for its rollout: something younger may go first. */
  heldBack: Set<string>;
}

/**
 * Chooses what to offer, oldest first, among the heads of each lane.
 *
 * - A lane gets no more than its free slots, and nothing while it is paused or the task is held already.
 * - A type that needs an idle device goes only to one that holds nothing (sessions do not count); nothing goes beside it.
 * - While such a task waits, younger tasks of its device wait too, so that it is not starved.
 * - `force` skips these two rules, not the slots.
 * - Rollout slots go to the oldest tasks of online devices.
 */
export function chooseOffers(
  heads: OfferableTask[],
  linkOf: (deviceId: string) => OnlineLink | undefined,
  slots: RolloutSlots,
  now: number,
): Choice {
  const choice: Choice = { chosen: [], heldBack: new Set() };
  const rooms = new Map<string, Room>();
  for (const task of heads) {
    let room = rooms.get(task.deviceId);
    if (room === undefined) {
      const link = linkOf(task.deviceId);
      if (link === undefined) continue;
      room = new Room(link, now);
      rooms.set(task.deviceId, room);
    }
    const left = task.runId === null ? undefined : slots.get(task.runId);
    if (left === 0) {
      choice.heldBack.add(task.deviceId);
      continue;
    }
    if (!room.take(task)) continue;
    if (left !== undefined && task.runId !== null) slots.set(task.runId, left - 1);
    choice.chosen.push({ link: room.link, task });
  }
  return choice;
}

/** Free slots of a lane; 0 while it is paused. */
export function freeSlots(link: OnlineLink, lane: Lane, now: number): number {
  if ((link.pausedUntil?.get(lane) ?? 0) > now) return 0;
  let free = link.slots[lane] ?? 0;
  for (const held of link.held?.values() ?? []) if (held.lane === lane) free -= 1;
  return Math.max(0, free);
}

/** Whether the device holds a task that nothing may go beside. */
export function holdsLoner(link: OnlineLink): boolean {
  for (const { type } of link.held?.values() ?? []) if (traitsOf(type).needsIdle) return true;
  return false;
}

/** What one device can still take. */
class Room {
  readonly link: OnlineLink;
  readonly #now: number;
  readonly #free = new Map<Lane, number>();
  #holdsLoner: boolean;
  #holdsWork: boolean;
  /** A task that needs an idle device waits: nothing younger goes before it. */
  #blocked = false;

  constructor(link: OnlineLink, now: number) {
    this.link = link;
    this.#now = now;
    this.#holdsLoner = holdsLoner(link);
    this.#holdsWork = [...(link.held?.values() ?? [])].some(({ lane }) => lane !== 'connect');
  }

  take(task: OfferableTask): boolean {
    const { needsIdle } = traitsOf(task.type);
    if (this.link.held?.has(task.code)) return false;
    const free = this.#freeIn(task.lane) > 0;
    if (!task.force) {
      if (this.#blocked || this.#holdsLoner) return false;
      if (needsIdle && (this.#holdsWork || !free)) {
        this.#blocked = true;
        return false;
      }
    }
    if (!free) return false;
    this.#free.set(task.lane, this.#freeIn(task.lane) - 1);
    if (needsIdle) this.#holdsLoner = true;
    if (task.lane !== 'connect') this.#holdsWork = true;
    return true;
  }

  #freeIn(lane: Lane): number {
    return this.#free.get(lane) ?? freeSlots(this.link, lane, this.#now);
  }
}
