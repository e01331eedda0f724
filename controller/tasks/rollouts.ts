import type { Instant } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { controllerActor } from '../devices/actor.ts';
import type { OnlineDevices } from '../devices/online.ts';
import type { Store } from '../store/store.ts';
import { Changes } from './changes.ts';
import type { RolloutSlots } from './choose.ts';
import { eventsOfMoves } from './moves.ts';
import { planRollout } from './rollout.ts';

export interface RolloutsParts {
  store: Store;
  online: OnlineDevices;
  log: Logger;
}

/**
 * Looks after runs with rollout limits.
 *
 * - Offers in flight are counted before the store is read: a task that is accepted in between counts twice, never not at all.
 * - Only the dispatcher offers, one round at a time, so no slot is given twice.
 */
export class Rollouts {
  readonly #parts: RolloutsParts;

  constructor(parts: RolloutsParts) {
    this.#parts = parts;
  }

  /** Stops and closes what is due; returns how many tasks each open rollout may hand out. */
  async plan(now: Instant): Promise<{ slots: RolloutSlots; stopped: boolean }> {
    const offered = this.#offeredByRun();
    const slots: RolloutSlots = new Map();
    const over: string[] = [];
    let stopped = false;
    for (const { id, rollout, total, counts } of await this.#parts.store.runs.openRollouts()) {
      const plan = planRollout(rollout, { total, counts, offered: offered.get(id) ?? 0 });
      if (plan.kind === 'go') slots.set(id, plan.slots);
      else if (plan.kind === 'over') over.push(id);
      else {
        slots.set(id, 0);
        stopped = (await this.#stop(id, plan.reason, now)) || stopped;
      }
    }
    if (over.length > 0) await this.#parts.store.runs.closeRollouts(over);
    return { slots, stopped };
  }

  #offeredByRun(): Map<string, number> {
    const offered = new Map<string, number>();
    for (const link of this.#parts.online.links()) {
      if (link.held === undefined) continue;
      for (const { state, runId } of link.held.values()) {
        if (state === 'offered' && runId !== null) offered.set(runId, (offered.get(runId) ?? 0) + 1);
      }
    }
    return offered;
  }

  /** Ends a run that broke its limits: what waits is cancelled, what runs goes on. */
  async #stop(runId: string, reason: string, now: Instant): Promise<boolean> {
    const { store, log } = this.#parts;
    const run = await store.runs.get(undefined, runId);
    if (run === undefined) return false;
    const done = await store.transaction(async (tables) => {
      if (!(await tables.runs.stop(runId, reason, now))) return false;
      const waiting = await tables.runs.taskIds(runId, ['SCHEDULED', 'PENDING']);
      const why = { errorCode: 'rollout_stopped', errorMessage: `The run was stopped: ${reason}` };
      const moves = waiting.length > 0 ? await tables.tasks.cancelWaiting(waiting, now, why) : [];
      const { organizationId } = run;
      const changes = new Changes();
      changes.events.push(...eventsOfMoves(moves, now, 'controller'), {
        type: 'run.stopped',
        at: now,
        organizationId,
        deviceId: null,
        taskId: null,
        runId,
        data: { reason, cancelled: moves.length },
      });
      changes.audit.push({
        at: now,
        organizationId,
        actor: controllerActor(organizationId).name,
        action: 'run.stop',
        target: runId,
        detail: { reason, cancelled: moves.length },
        ipAddress: null,
        requestId: null,
      });
      await changes.write(tables);
      return true;
    });
    if (done) log.warn({ run: runId, reason }, 'rollout stopped');
    return done;
  }
}
