import type { Clock, Instant } from '../../shared/clock.ts';
import { TaskError } from '../../shared/errors.ts';
import type { ControllerKeys } from '../../shared/node/controller-keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import type { TaskOffer, TaskOrder, TaskRefused } from '../../shared/protocol/task.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import type { AgentStore } from '../store/agent-store.ts';
import type { NewReport } from '../store/outbox.ts';
import type { StoredTask } from '../store/task-table.ts';
import { type Slots, whyBusy } from './lanes.ts';
import { findHandler, type Runnable, unknownType } from './find-handler.ts';
import { parseParameters } from './parse-parameters.ts';
import { type Policy, requireAllowed } from './policy.ts';
import { verifyOrder } from './verify-order.ts';

export interface OffersParts extends Runnable {
  store: AgentStore;
  clock: Clock;
  log: Logger;
  deviceId: string;
  controllerKeys: Pick<ControllerKeys, 'isSigned'>;
  policy: Policy;
  /** Who the agent runs as. */
  ownUser: string;
  slots: Slots;
  /** By the controller's clock. */
  controllerNow: () => Instant;
  isDraining: () => boolean;
}

/**
 * Decides about offers. What is taken was signed by a key of the controller, for this device, is new and not expired, is allowed and understood,
 * and has a free slot; the task, its acceptance and the order's sequence number are one commit.
 */
export class Offers {
  readonly #parts: OffersParts;

  constructor(parts: OffersParts) {
    this.#parts = parts;
  }

  /** Takes the offer, or says why not. A task that is held already is answered with its stored state. */
  receive(offer: TaskOffer): TaskRefused | undefined {
    const { log, store } = this.#parts;
    try {
      const order = verifyOrder(offer, this.#parts);
      const held = store.tasks.get(order.code);
      if (held) this.#answerAgain(held);
      else this.#take(order, offer);
      return undefined;
    } catch (error) {
      const refusal = refusalOf(error);
      log.warn({ event: 'task.refused', task: offer.code, reason: refusal.code }, 'task refused');
      return {
        type: 'task.refused',
        code: offer.code,
        reason: refusal.code,
        message: refusal.message.slice(0, 4096),
      };
    }
  }

  #take(order: TaskOrder, offer: TaskOffer): void {
    const { store, clock, log } = this.#parts;
    const highest = store.kv.get('highestSequence') ?? 0;
    if (order.sequence <= highest) {
      throw new TaskError(
        'replayed',
        `The order has sequence ${order.sequence}, ${highest} was accepted before`,
      );
    }
    const type = this.#requireAcceptable(order);
    const { code, attempt, timeoutMs, force } = order;
    const at = clock.now();
    store.write(() => {
      const acceptedSeq = store.outbox.append('accepted', { type: 'task.accepted', code, at, attempt });
      const parameters = JSON.stringify(order.parameters);
      const signed = JSON.stringify({ order: offer.order, signature: offer.signature });
      const given = { code, type, parameters, signed, timeoutMs, force, attempt };
      store.tasks.insert({ ...given, acceptedAt: at, acceptedSeq });
      store.kv.set('highestSequence', order.sequence);
    });
    log.info({ event: 'task.accepted', task: code, type }, 'task accepted');
  }

  #requireAcceptable(order: TaskOrder): TaskType {
    const { policy, ownUser, slots, store, isDraining, controllerNow } = this.#parts;
    const late = controllerNow() - order.expiresAt;
    if (late >= 0) throw new TaskError('expired', `The order expired ${Math.ceil(late / 1000)} s ago`);

    const contract = findHandler(this.#parts, order.taskType)?.contract;
    if (!contract) throw unknownType(this.#parts, order.taskType);

    const type = contract.name;
    const parameters = parseParameters(contract, order.parameters);
    requireAllowed(policy, ownUser, { type, parameters });

    if (isDraining()) throw new TaskError('draining', 'The agent is stopping');
    const busy = whyBusy({ type, force: order.force }, store.tasks.unfinished(), slots);
    if (busy !== undefined) throw new TaskError('busy', busy);
    return type;
  }

  /** Says again what is on disk, unless it waits in the outbox anyway. */
  #answerAgain(task: StoredTask): void {
    const { store, clock } = this.#parts;
    const { code, attempt, endSeq, endKind, endBody } = task;
    const isFinished = task.state === 'finished' && endSeq !== null && endKind !== null && endBody !== null;
    if (store.outbox.has(isFinished ? endSeq : task.acceptedSeq)) return;

    store.write(() => {
      const accepted = { type: 'task.accepted', code, at: clock.now(), attempt } as const;
      store.tasks.tellAcceptedAgain(code, store.outbox.append('accepted', accepted));
      if (!isFinished) return;
      const end = JSON.parse(endBody) as NewReport;
      store.tasks.tellEndAgain(code, store.outbox.append(endKind, end));
    });
  }
}

function refusalOf(error: unknown): TaskError {
  if (error instanceof TaskError) return error;
  if (isDiskFull(error))
    return new TaskError('disk_full', 'The disk of the device is full', { cause: error });
  throw error;
}
