import type { CancelRunAnswer } from '../../shared/api/runs.ts';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { isFinal } from '../../shared/task-state.ts';
import { traitsOf } from '../../shared/task-types/task-type.ts';
import type { Bus } from '../bus/bus.ts';
import type { Actor } from '../devices/actor.ts';
import type { RunRow } from '../store/runs.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { TaskMove, TaskRow } from '../store/tasks.ts';
import { Changes } from './changes.ts';
import { endAgentRun } from './end-agent-run.ts';
import { eventsOfMoves } from './moves.ts';
import { questionEvent } from './question-events.ts';
import { cancelledByPerson } from './runs.ts';

/**
 * Ends tasks at a person's wish.
 *
 * - Whether a waiting task was cancelled or started is decided by one conditional update; the loser is told the state that won.
 * - A request to a running task is stored before it is sent; a device that is away gets it with its next welcome.
 */
export class Cancellation {
  readonly #store: Store;
  readonly #bus: Bus;
  readonly #clock: Clock;

  constructor({ store, bus, clock }: { store: Store; bus: Bus; clock: Clock }) {
    this.#store = store;
    this.#bus = bus;
    this.#clock = clock;
  }

  /**
   * SCHEDULED, PENDING → CANCELLED; CANCELLED stays (no error). IN_PROGRESS with `request`: the device is asked to stop, when the type
   * can be stopped. Throws `not_found`, or `not_cancellable` with a sentence that says why. Returns the task as it is then.
   */
  async cancelTask(actor: Actor, codeOrId: string, { request }: { request: boolean }): Promise<TaskRow> {
    const now = this.#clock.now();
    const { task, moves } = await this.#store.transaction(async (tables) => {
      const found = await this.#find(tables, actor, codeOrId);
      if (found.status === 'CANCELLED') return { task: found, moves: none };
      if (found.status === 'IN_PROGRESS') refuseUnlessStoppable(found, request);
      else if (isFinal(found.status)) throw notCancellable(found);

      const made = await this.#end(tables, [found.id], { actor, request, target: found.code, now });
      return { task: await this.#find(tables, actor, codeOrId), moves: made };
    });
    this.#tell(moves);
    return task;
  }

  /** Cancels what waits and stops the rollout; with `request` asks running tasks that can be stopped to stop too. */
  async cancelRun(actor: Actor, runId: string, { request }: { request: boolean }): Promise<CancelRunAnswer> {
    const now = this.#clock.now();
    const { moves, answer } = await this.#store.transaction(async (tables) => {
      const run = await tables.runs.get(actor.organizationId, runId);
      if (run === undefined) throw new AppError('not_found', `There is no run ${runId}`);
      if (run.type === 'AGENT_TASK') return this.#cancelAgentTask(tables, run, { actor, now });
      const open = await tables.runs.taskIds(runId, ['SCHEDULED', 'PENDING', 'IN_PROGRESS']);
      await tables.retries.close(runId);
      const withdrawn = await tables.questions.withdrawOfRun(runId);
      await tables.events.append(withdrawn.map((move) => questionEvent(move, now)));
      if (open.length > 0 && run.rollout !== null) await tables.runs.stop(runId, cancelledByPerson, now);
      const asks = request && traitsOf(run.type).canStop;
      const made = await this.#end(tables, open, { actor, request: asks, target: runId, now });
      return {
        moves: made,
        answer: {
          run: runId,
          cancelled: made.cancelled.length,
          requested: made.requested.length,
          still_running: open.length - made.cancelled.length,
        },
      };
    });
    this.#tell(moves);
    this.#bus.publish('assistant', {});
    return answer;
  }

  /** Ends the work on a prompt; what it had made run goes on, as runs of their own. */
  async #cancelAgentTask(
    tables: StoreTables,
    run: RunRow,
    { actor, now }: { actor: Actor; now: number },
  ): Promise<{ moves: Moves; answer: CancelRunAnswer }> {
    const isEnded = await endAgentRun(tables, run, { status: 'cancelled' }, now);
    if (isEnded) {
      const { organizationId, name, ipAddress, requestId } = actor;
      const detail = { type: 'AGENT_TASK' };
      await tables.audit.append([
        {
          at: now,
          organizationId,
          actor: name,
          action: 'run.cancel',
          target: run.id,
          detail,
          ipAddress,
          requestId,
        },
      ]);
    }
    return {
      moves: none,
      answer: { run: run.id, cancelled: isEnded ? 1 : 0, requested: 0, still_running: 0 },
    };
  }

  async #find(tables: StoreTables, actor: Actor, codeOrId: string): Promise<TaskRow> {
    const task = await tables.tasks.get(actor.organizationId, codeOrId);
    if (task === undefined) throw new AppError('not_found', `There is no task ${codeOrId}`);
    return task;
  }

  async #end(
    tables: StoreTables,
    ids: string[],
    { actor, request, target, now }: { actor: Actor; request: boolean; target: string; now: number },
  ): Promise<Moves> {
    if (ids.length === 0) return none;
    const cancelled = await tables.tasks.cancelWaiting(ids, now);
    const requested = request ? await tables.tasks.requestCancel(ids, now) : [];
    const changes = new Changes();
    changes.events.push(
      ...eventsOfMoves(cancelled, now, actor.name),
      ...eventsOfMoves(requested, now, actor.name, 'task.cancel_requested'),
    );
    if (cancelled.length + requested.length > 0) {
      changes.audit.push({
        at: now,
        organizationId: actor.organizationId,
        actor: actor.name,
        action: 'task.cancel',
        target,
        detail: { cancelled: cancelled.length, requested: requested.length },
        ipAddress: actor.ipAddress,
        requestId: actor.requestId,
      });
    }
    await changes.write(tables);
    return { cancelled, requested };
  }

  #tell({ cancelled, requested }: Moves): void {
    if (cancelled.length + requested.length > 0) this.#bus.publish('events', {});
    if (cancelled.length > 0) {
      // Something that waited behind them may go now.
      this.#bus.publish('devices', { deviceIds: [...new Set(cancelled.map(({ deviceId }) => deviceId))] });
    }
    if (requested.length > 0) {
      this.#bus.publish('cancel', { tasks: requested.map(({ deviceId, code }) => ({ deviceId, code })) });
    }
  }
}

interface Moves {
  cancelled: TaskMove[];
  requested: TaskMove[];
}

const none: Moves = { cancelled: [], requested: [] };

function refuseUnlessStoppable(task: TaskRow, request: boolean): void {
  const what = `Task ${task.code} is IN_PROGRESS and can no longer be cancelled`;
  if (!traitsOf(task.type).canStop) {
    throw new AppError('not_cancellable', `${what}; ${task.type} cannot be stopped once it has started`);
  }
  if (!request) {
    throw new AppError(
      'not_cancellable',
      `${what}; ask the device to stop it with a cancel request (request: true)`,
    );
  }
}

const notCancellable = (task: TaskRow): AppError =>
  new AppError(
    'not_cancellable',
    `Task ${task.code} is ${task.status} and can no longer be cancelled; it has ended`,
  );
