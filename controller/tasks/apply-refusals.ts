import type { Instant } from '../../shared/clock.ts';
import { passingRefusals, type TaskRefused } from '../../shared/protocol/task.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import type { HeldTask, OnlineLink } from '../devices/online.ts';
import type { StoreTables } from '../store/store.ts';
import type { Changes } from './changes.ts';
import { eventsOfMoves } from './moves.ts';

export interface Refusal {
  link: OnlineLink;
  refusal: TaskRefused;
}

export interface RefusalTimes {
  now: Instant;
  monotonic: number;
  lanePauseMs: number;
  diskFullPauseMs: number;
}

/** A device may find an order expired that expires within this. */
const clockToleranceMs = 5_000;

const isPassing = (reason: string): boolean => (passingRefusals as readonly string[]).includes(reason);

/** Passing refusals leave the task PENDING and pause the lane; lasting ones fail it. Only an offer that waits for its answer can be refused. */
export async function applyRefusals(
  tables: StoreTables,
  refusals: Refusal[],
  changes: Changes,
  times: RefusalTimes,
): Promise<void> {
  const asked = refusals.filter(({ link, refusal }) => link.held?.get(refusal.code)?.state === 'offered');
  if (asked.length === 0) return;

  const tasks = asked.map(({ link, refusal: { code, reason, message } }) => ({
    deviceId: link.deviceId,
    code,
    reason,
    message,
  }));
  const passing = tasks.filter(({ reason }) => isPassing(reason));
  const lasting = tasks.filter(({ reason }) => !isPassing(reason));
  if (passing.length > 0) {
    const notes = passing.map(({ deviceId, code, reason, message }) => ({
      deviceId,
      code,
      message: `The device did not take it yet (${reason}): ${message}`,
    }));
    await tables.tasks.noteRefusal(notes, times.now);
  }
  if (lasting.length > 0) {
    const failures = lasting.map(({ deviceId, code, reason, message }) => ({
      deviceId,
      code,
      errorCode: reason,
      errorMessage: message,
    }));
    const moves = await tables.tasks.refuse(failures, times.now);
    changes.noteEnded(moves);
    changes.events.push(...eventsOfMoves(moves, times.now, 'device'));
  }
  changes.afterCommit.push(() => {
    for (const { link, refusal } of asked) release(link, refusal, times);
    for (const { link } of asked) changes.freedDevices.add(link.deviceId);
  });
}

function release(link: OnlineLink, { code, reason }: TaskRefused, times: RefusalTimes): void {
  const held: HeldTask | undefined = link.held?.get(code);
  if (held === undefined) return;
  link.held?.delete(code);
  if (!isPassing(reason)) return;
  const pauseMs = reason === 'disk_full' ? times.diskFullPauseMs : times.lanePauseMs;
  link.pausedUntil ??= new Map();
  link.pausedUntil.set(held.lane, times.monotonic + pauseMs);
  if (reason === 'expired' && held.expiresAt !== null && held.expiresAt > times.now + clockToleranceMs) {
    // It learned our clock with its welcome, and one of the clocks jumped since: it has to learn it again.
    link.close(closeCodes.goingAway, 'the clocks differ: connect again to learn the time');
  }
}
