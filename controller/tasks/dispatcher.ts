import type { Clock } from '../../shared/clock.ts';
import type { KeyPair } from '../../shared/node/keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { type Lane, lanes } from '../../shared/task-types/task-type.ts';
import type { Bus } from '../bus/bus.ts';
import type { OnlineDevices, OnlineLink } from '../devices/online.ts';
import type { Store } from '../store/store.ts';
import type { OfferableTask } from '../store/tasks.ts';
import { chooseOffers, freeSlots, holdsLoner, type RolloutSlots } from './choose.ts';
import { Deadlines } from './deadlines.ts';
import { OfferSigner } from './offer-signer.ts';
import { Rollouts } from './rollouts.ts';
import { WakeUp } from './wake-up.ts';

export interface DispatcherParts {
  store: Store;
  bus: Bus;
  online: OnlineDevices;
  clock: Clock;
  log: Logger;
  keys: KeyPair;
  settings: { pollMs: number; offerAnswerMs: number; shutdownAbsenceMs: number };
}

/** While a task that nothing may go beside is held, forced ones may still go: look so many tasks further for them. */
const forcedLookAhead = 16;

/**
 * Hands out PENDING tasks and makes the moves that time makes.
 *
 * - The poll is the truth: each sees everything. Wake-ups only make it fast; losing all of them costs at most `pollMs`.
 * - One round at a time, and only rounds offer: no slot and no place in a batch is given twice.
 * - An offer changes nothing in the store. What is in flight is known from the links alone.
 * - An offer that is not answered is given up, and the task offered again: the device answers a repetition with what it holds.
 */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #deadlines: Deadlines;
  readonly #rollouts: Rollouts;
  readonly #signer: OfferSigner;
  readonly #wakeUp = new WakeUp();
  #woken = new Set<string>();
  #pollDue = true;
  /** Open rollouts as of the last look: when a task of one ends, others may go on any device. */
  #rolloutRuns: ReadonlySet<string> = new Set();
  /** Runs that turned out to have no limits, since the last poll: they need no look at the rollouts. */
  readonly #unlimitedRuns = new Set<string>();
  offersSent = 0;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#deadlines = new Deadlines(parts);
    this.#rollouts = new Rollouts(parts);
    this.#signer = new OfferSigner(parts.store.settings, parts.keys, parts.clock);
  }

  /** These devices may have something to take. */
  wake(deviceIds: Iterable<string>): void {
    for (const id of deviceIds) this.#woken.add(id);
    if (this.#woken.size > 0) this.#wakeUp.call();
  }

  /** Tasks of these runs ended: a rollout among them may go on, on any device. */
  runsAdvanced(runIds: Iterable<string>): void {
    for (const id of runIds) {
      if (this.#rolloutRuns.has(id)) return this.lookAtAll();
    }
  }

  /** Looks at everything now, as the poll does. */
  lookAtAll(): void {
    this.#pollDue = true;
    this.#wakeUp.call();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { bus, log } = this.#parts;
    const unsubscribe = [
      bus.subscribe('devices', ({ deviceIds }) => this.wake(deviceIds)),
      bus.subscribe('deadlines', () => this.lookAtAll()),
    ];
    const ticking = this.#tick(signal);
    while (!signal.aborted) {
      try {
        await this.#round(signal);
      } catch (error) {
        log.error({ err: error }, 'dispatch round failed, the next poll tries again');
      }
      // Not a turn later: what a commit made room for goes out together with the commit's answers.
      await this.#wakeUp.wait(signal);
    }
    for (const stop of unsubscribe) stop();
    await ticking;
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#parts;
    while (!signal.aborted) {
      await clock.sleep(settings.pollMs, signal).catch(() => undefined);
      this.lookAtAll();
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { store, bus, online } = this.#parts;
    const isPoll = this.#pollDue;
    this.#pollDue = false;
    const woken = this.#woken;
    this.#woken = new Set();

    if (isPoll) this.#unlimitedRuns.clear();
    let slots: RolloutSlots = isPoll || this.#rolloutRuns.size > 0 ? await this.#plan() : new Map();
    if (isPoll && !signal.aborted) {
      this.#giveUpUnanswered();
      const { activated, ended } = await this.#deadlines.pass(heldRuns(slots));
      if (activated.length + ended.length > 0) bus.publish('events', {});
      if (ended.length > 0 && slots.size > 0) slots = await this.#plan();
    }

    if (online.size === 0 || signal.aborted) return;
    const deviceIds = isPoll ? await store.tasks.devicesWithPending() : [...woken];
    let links = deviceIds.flatMap((id) => online.get(id) ?? []);
    while (links.length > 0 && !signal.aborted) links = await this.#offer(links, slots);
  }

  async #plan(): Promise<RolloutSlots> {
    const { slots, stopped } = await this.#rollouts.plan(this.#parts.clock.now());
    this.#rolloutRuns = new Set(slots.keys());
    if (stopped) this.#parts.bus.publish('events', {});
    return slots;
  }

  /** Offers to these devices what they can take; returns those to look at again, because a rollout's limit stood before other work. */
  async #offer(links: OnlineLink[], slots: RolloutSlots): Promise<OnlineLink[]> {
    const { store, clock, online } = this.#parts;
    const now = clock.monotonic();
    const wants = links.flatMap((link) => wantsOf(link, now));
    if (wants.length === 0) return [];
    const heads = await store.tasks.heads(wants, clock.now(), heldRuns(slots));
    if (heads.length === 0) return [];
    await this.#learnRollouts(heads, slots);
    await this.#signer.reserve(heads.length);

    const { chosen, heldBack } = chooseOffers(heads, (id) => online.get(id), slots, clock.monotonic());
    for (const { link, task } of chosen) {
      const { id, lane, type, runId, expiresAt } = task;
      link.held ??= new Map();
      link.held.set(task.code, {
        id,
        lane,
        type,
        runId,
        expiresAt,
        state: 'offered',
        since: clock.monotonic(),
      });
      link.send(this.#signer.sign(task));
      this.offersSent += 1;
    }
    return [...heldBack].flatMap((id) => online.get(id) ?? []);
  }

  /**
   * A run that was made after the rollouts were read may have limits. Limits are committed with the tasks, so reading the rollouts
   * after the tasks finds them.
   */
  async #learnRollouts(heads: OfferableTask[], slots: RolloutSlots): Promise<void> {
    const unknown = new Set<string>();
    for (const { runId } of heads) {
      if (runId !== null && !slots.has(runId) && !this.#unlimitedRuns.has(runId)) unknown.add(runId);
    }
    if (unknown.size === 0) return;
    const planned = await this.#plan();
    for (const runId of unknown) {
      const found = planned.get(runId);
      if (found === undefined) this.#unlimitedRuns.add(runId);
      else slots.set(runId, found);
    }
  }

  #giveUpUnanswered(): void {
    const { online, clock, settings } = this.#parts;
    const before = clock.monotonic() - settings.offerAnswerMs;
    for (const link of online.links()) {
      if (link.held === undefined) continue;
      for (const [code, { state, since }] of link.held) {
        if (state === 'offered' && since < before) link.held.delete(code);
      }
      if (link.held.size === 0) link.held = undefined;
    }
  }
}

const heldRuns = (slots: RolloutSlots): string[] =>
  [...slots].flatMap(([id, left]) => (left === 0 ? [id] : []));

/**
 * What to ask the store for: what fits into each lane, beyond what was offered and is still PENDING there; of the exclusive lane always
 * the head, for it may make others wait.
 */
function wantsOf(link: OnlineLink, now: number): { deviceId: string; lane: Lane; count: number }[] {
  const { deviceId } = link;
  const more = link.held !== undefined && holdsLoner(link) ? forcedLookAhead : 0;
  const counts = lanes.map((lane) => ({ lane, free: freeSlots(link, lane, now) }));
  if (counts.every(({ free }) => free === 0)) return [];
  return counts.flatMap(({ lane, free }) => {
    if (free === 0 && lane !== 'exclusive') return [];
    return [{ deviceId, lane, count: Math.max(1, free + more) + offeredIn(link, lane) }];
  });
}

function offeredIn(link: OnlineLink, lane: Lane): number {
  let count = 0;
  for (const held of link.held?.values() ?? [])
    if (held.lane === lane && held.state === 'offered') count += 1;
  return count;
}
