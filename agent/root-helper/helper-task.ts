import type { Duplex } from 'node:stream';
import type { Clock, Random } from '../../shared/clock.ts';
import { TaskError } from '../../shared/errors.ts';
import type { ControllerKeys } from '../../shared/node/controller-keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { parse } from '../../shared/parse.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import type { TaskOrder } from '../../shared/protocol/task.ts';
import { Connect } from '../../shared/task-types/connect.ts';
import { traitsOf } from '../../shared/task-types/task-type.ts';
import { ProbeAttempt } from '../../shared/task-types/sync.ts';
import type { Handler, HandlerContext } from '../handlers/handler.ts';
import { findHandler, type PluginTypes, unknownType } from '../runner/find-handler.ts';
import { parseParameters } from '../runner/parse-parameters.ts';
import { type Policy, requireAllowed } from '../runner/policy.ts';
import type { Handlers } from '../runner/runner.ts';
import { failureOf } from '../runner/task-end.ts';
import { verifyOrder } from '../runner/verify-order.ts';
import type { System } from '../system/system.ts';
import type { HelperAnswer, HelperOutcome, HelperRequest } from './messages.ts';
import type { OrderLedger } from './order-ledger.ts';
import type { Channel } from './channel.ts';
import { HelperCalls } from './helper-calls.ts';

/** What the root helper decides and works with; nothing of it comes from the agent. */
export interface HelperParts {
  deviceId: string;
  /** Pinned when the device enrolled, and followed from there by the helper itself. */
  controllerKeys: Pick<ControllerKeys, 'isSigned' | 'learn'>;
  /** Saves and uses another key of the device (PEM) for requests to the controller; returns its fingerprint. */
  takeDeviceKey(pem: string): string;
  /** The task types that need root, and how they are run. */
  handlers: Handlers;
  plugins?: PluginTypes;
  /** Runs the programs of a session for the agent at the other end of `bytes`. */
  programsHandler(bytes: Duplex): Handler;
  policy: Policy;
  ledger: OrderLedger;
  system: System;
  clock: Clock;
  random: Random;
  log: Logger;
  facts: Record<string, unknown>;
  /** Tokens for transfers are made by it. */
  learnControllerTime(now: number): void;
}

type Run = Extract<HelperRequest, { type: 'run' }>;

/** Ends of the tasks that run now, by their codes: of one task never two run beside each other. */
export type RunningTasks = Map<string, Promise<void>>;

/** Output that the agent has not taken; lines beyond it are dropped and counted. */
const maxWaitingBytes = 8 * 1024 * 1024;

/**
 * One task, run with the rights of root for an agent that has none.
 *
 * - Only what the pinned controller signed, for this device, is run, and only if the device's own policy allows it.
 * - Each attempt runs once: whoever asks again is told the end, or may let it be picked up.
 */
export class HelperTask {
  readonly #parts: HelperParts;
  readonly #agent: Channel<HelperAnswer>;
  readonly #running: RunningTasks;
  readonly #stop = new AbortController();
  readonly #calls: HelperCalls;
  #dropped = 0;

  constructor(parts: HelperParts, agent: Channel<HelperAnswer>, running: RunningTasks) {
    this.#parts = parts;
    this.#agent = agent;
    this.#running = running;
    this.#calls = new HelperCalls((call) => agent.send(call), this.#stop.signal);
  }

  stop(reason: TaskError): void {
    this.#stop.abort(reason);
  }

  returned(message: Extract<HelperRequest, { type: 'returned' | 'threw' }>): void {
    this.#calls.answered(message);
  }

  /** Runs it to its end; never rejects. */
  async run(request: Run): Promise<HelperOutcome> {
    try {
      const order = this.#verified(request);
      return await this.#alone(order.code, async () => {
        const known = this.#parts.ledger.end(order);
        return known ?? (await this.#runOnce(order, request));
      });
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** Nobody picks up what another connection still runs: it is waited for, which is short when its agent is gone. */
  async #alone(code: string, work: () => Promise<HelperOutcome>): Promise<HelperOutcome> {
    for (let other = this.#running.get(code); other; other = this.#running.get(code)) await other;
    this.#stop.signal.throwIfAborted();
    const over = Promise.withResolvers<void>();
    this.#running.set(code, over.promise);
    try {
      return await work();
    } finally {
      this.#running.delete(code);
      over.resolve();
    }
  }

  async #runOnce(order: TaskOrder, request: Run): Promise<HelperOutcome> {
    const { ledger, log, programsHandler } = this.#parts;
    const handler =
      order.taskType === Connect.name
        ? programsHandler(this.#agent.bytes)
        : findHandler(this.#parts, order.taskType);
    if (!handler) throw unknownType(this.#parts, order.taskType);
    const parameters = parseParameters(handler.contract, order.parameters);
    requireAllowed(this.#parts.policy, 'root', { type: handler.contract.name, parameters });
    if (!ledger.has(order)) ledger.begin(order);
    else if (
      !request.interrupted &&
      !traitsOf(handler.contract.name).rerun &&
      !ledger.takeRerun(order.code)
    ) {
      throw new TaskError('replayed', `Attempt ${order.attempt} of task ${order.code} was begun before`);
    }

    log.info({ event: 'helper.task_started', task: order.code, type: order.taskType }, 'task started');
    const outcome = await this.#call(handler, parameters, { order, request });
    if (outcome.kind === 'rerun') ledger.allowRerun(order.code);
    else if (!this.isLeft) ledger.saveEnd(order.code, outcome);
    log.info({ event: 'helper.task_ended', task: order.code, outcome: outcome.kind }, 'task ended');
    return outcome;
  }

  /** The agent or the helper went away in the middle: whoever comes next picks the task up, as after a crash. */
  get isLeft(): boolean {
    const { aborted, reason } = this.#stop.signal;
    return aborted && reason instanceof TaskError && reason.code === 'agent_stopping';
  }

  async #call(
    handler: Handler,
    parameters: unknown,
    { order, request }: { order: TaskOrder; request: Run },
  ): Promise<HelperOutcome> {
    try {
      const context = this.#context(order, request);
      const result =
        request.interrupted && handler.recover
          ? await handler.recover(parameters, request.interrupted, context)
          : await handler.run(parameters, context);
      return result === 'rerun' ? { kind: 'rerun' } : { kind: 'completed', result };
    } catch (error) {
      return this.#failed(error);
    }
  }

  #verified({ order: text, signature, controllerTime, keyChanges }: Run): TaskOrder {
    this.#parts.controllerKeys.learn(keyChanges ?? []);
    const order = verifyOrder({ order: text, signature }, this.#parts);
    this.#parts.learnControllerTime(controllerTime);
    return order;
  }

  #context({ code, timeoutMs }: TaskOrder, { instanceId }: Run): HandlerContext {
    const { system, clock, random, ledger } = this.#parts;
    return {
      system,
      code,
      clock,
      random,
      signal: this.#stop.signal,
      timeoutMs,
      instanceId,
      output: (stream, text) => this.#output(stream, text),
      progress: (progress) => this.#agent.send({ type: 'progress', ...progress }),
      reportPhase: async (phase, message) => {
        await this.#calls.call('reportPhase', { phase, message });
      },
      agentProbe: async (transaction, timeoutMs) => {
        const attempt = await this.#calls.call('probe', { transaction, timeoutMs });
        return parse('a probe of the agent', ProbeAttempt, attempt);
      },
      ask: async (question, withdrawn) => String(await this.#calls.call('ask', { ...question }, withdrawn)),
      roundTrip: () => Promise.reject(new TaskError('internal', 'The root helper has no link to measure')),
      journal: { read: () => ledger.note(code), write: (note) => ledger.saveNote(code, note) },
    };
  }

  #output(stream: 'stdout' | 'stderr' | 'agent', text: string): void {
    if (this.#agent.bufferedBytes > maxWaitingBytes) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      const told = `${this.#dropped} lines are missing here: the agent did not take them`;
      this.#dropped = 0;
      this.#agent.send({ type: 'output', stream: 'agent', text: told });
    }
    this.#agent.send({ type: 'output', stream, text });
  }

  #failed(error: unknown): HelperOutcome {
    if (isDiskFull(error)) {
      return { kind: 'failed', code: 'disk_full', message: 'The disk of the device is full' };
    }
    if (!(error instanceof TaskError)) this.#parts.log.error({ err: error }, 'a handler failed');
    const { code, message, result } = failureOf(error);
    return { kind: 'failed', code, message, ...(result ? { result } : {}) };
  }
}
