import type { Clock } from '../../shared/clock.ts';
import { traitsOf } from '../../shared/task-types/task-type.ts';
import { noteSyncsLost } from '../content/sync-results.ts';
import type { OnlineDevices } from '../devices/online.ts';
import type { Store } from '../store/store.ts';
import type { TaskMove } from '../store/tasks.ts';
import { Changes } from './changes.ts';
import { eventsOfMoves } from './moves.ts';
import { shutdownProof } from './shutdown-proof.ts';

/** Moves made at a time, so that a backlog of deadlines does not hold the store for long. */
const limit = 2_000;

export interface DeadlinesParts {
  store: Store;
  online: OnlineDevices;
  clock: Clock;
  settings: { shutdownAbsenceMs: number };
}

export interface DeadlineMoves {
  activated: TaskMove[];
  ended: TaskMove[];
}

/** Makes the moves that time makes: SCHEDULED → PENDING, PENDING → EXPIRED, IN_PROGRESS → `timed_out`, and SHUTDOWN proven by absence. */
export class Deadlines {
  readonly #parts: DeadlinesParts;

  constructor(parts: DeadlinesParts) {
    this.#parts = parts;
  }

  /** `heldRuns`: runs whose limits keep PENDING tasks of online devices waiting; that waiting does not expire. */
  async pass(heldRuns: string[]): Promise<DeadlineMoves> {
    const { store, clock, online } = this.#parts;
    const moves: DeadlineMoves = { activated: [], ended: await this.#confirmShutdowns() };
    for (;;) {
      const now = clock.now();
      const next = await store.tasks.nextDeadline();
      if (next === undefined || next > now) return moves;
      const held = { runs: heldRuns, onlineDevices: heldRuns.length > 0 ? online.ids() : [] };
      const pass = await store.transaction(async (tables) => {
        const activated = await tables.tasks.activate(now, limit);
        const expired = await tables.tasks.expire(now, limit, held);
        const timedOut = await tables.tasks.timeOut(now, limit);
        const changes = this.#tell([...activated, ...expired, ...timedOut], now);
        const lost = timedOut.filter(({ type }) => type === 'SYNC');
        if (lost.length > 0) changes.events.push(...(await noteSyncsLost(tables, lost, now)));
        await changes.write(tables);
        return { activated, expired, timedOut };
      });
      this.#askToStop(pass.timedOut);
      moves.activated.push(...pass.activated);
      moves.ended.push(...pass.expired, ...pass.timedOut);
      const most = Math.max(pass.activated.length, pass.expired.length, pass.timedOut.length);
      if (most < limit) return moves;
    }
  }

  #tell(moves: TaskMove[], now: number): Changes {
    const changes = new Changes();
    changes.events.push(...eventsOfMoves(moves, now, 'controller'));
    return changes;
  }

  /** The device should have ended it by itself; if it is here, it is told once more. */
  #askToStop(timedOut: TaskMove[]): void {
    for (const { deviceId, code, type } of timedOut) {
      if (traitsOf(type).canStop) this.#parts.online.get(deviceId)?.send({ type: 'task.cancel', code });
    }
  }

  /** A device that said it powers off and has been away since is off. */
  async #confirmShutdowns(): Promise<TaskMove[]> {
    const { store, clock, online, settings } = this.#parts;
    const now = clock.now();
    // Every one of them: how long the device is away is told by durations, which no jump of the wall clock can stretch.
    const candidates = await store.tasks.poweringOff(Number.MAX_SAFE_INTEGER);
    const proven = candidates.flatMap((task) => {
      const absence = online.absence(task.deviceId);
      if (absence === undefined) return [];
      if (clock.monotonic() - absence.monotonic < settings.shutdownAbsenceMs) return [];
      return [shutdownProof(task, { linkClosedAt: absence.at })];
    });
    if (proven.length === 0) return [];
    return store.transaction(async (tables) => {
      const moves = await tables.tasks.finish(proven, now);
      await this.#tell(moves, now).write(tables);
      return moves;
    });
  }
}
