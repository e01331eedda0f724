import type { Clock, Instant } from '../../shared/clock.ts';
import type { Down } from '../../shared/protocol/down.ts';
import type { Lane, TaskType } from '../../shared/task-types/task-type.ts';

/** A task that a device holds, as far as its link knows: it occupies a slot of its lane. */
export interface HeldTask {
  id: string;
  lane: Lane;
  type: TaskType;
  runId: string | null;
  /** `offered`: sent, not answered yet. `started`: IN_PROGRESS, and the device was told. */
  state: 'offered' | 'started';
  /** Monotonic time of the offer. */
  since: number;
  /** As the order says; null once it is started. */
  expiresAt: Instant | null;
}

/** A link whose device is authenticated. The fields below `held` are meaningful from its committed hello on. */
export interface OnlineLink {
  readonly deviceId: string;
  readonly organizationId: string;
  /** The key it was opened with. */
  readonly publicKey?: string | undefined;
  /** Links are numbered in the order they were authenticated. */
  readonly order: number;
  readonly isClosed: boolean;
  /** Monotonic time of the last sign of life. */
  readonly aliveAt: number;
  /** Undefined when it holds nothing: most links are idle, and there are many. */
  held: Map<string, HeldTask> | undefined;
  /** Lanes that nothing is offered to before this monotonic time. */
  pausedUntil: Map<Lane, number> | undefined;
  slots: Partial<Record<Lane, number>>;
  storeId: string;
  /** Outbox rows up to this one are committed. */
  appliedSeq: number;
  send(message: Down): void;
  close(code: number, reason: string): void;
}

/** When a device was seen last without a link now. */
export interface Absence {
  monotonic: number;
  /** Null when it had no link since the controller started. */
  at: Instant | null;
}

/** How long the order of a device's last link is remembered: longer than a link may live without saying hello. */
const rememberMs = 300_000;

/**
 * Which devices are here, each by its current link.
 *
 * - A device has at most one current link: the one authenticated last among those whose hello was committed.
 * - `enter` replaces; the caller closes the link it replaced.
 * - `leave` of a link that is not current changes nothing.
 */
export class OnlineDevices {
  readonly #clock: Clock;
  readonly #startedAt: Absence;
  readonly #links = new Map<string, OnlineLink>();
  readonly #left = new Map<string, Absence & { order: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = { monotonic: clock.monotonic(), at: null };
  }

  get size(): number {
    return this.#links.size;
  }

  get(deviceId: string): OnlineLink | undefined {
    return this.#links.get(deviceId);
  }

  isCurrent(link: OnlineLink): boolean {
    return this.#links.get(link.deviceId) === link;
  }

  ids(): string[] {
    return [...this.#links.keys()];
  }

  links(): IterableIterator<OnlineLink> {
    return this.#links.values();
  }

  /** True when a link that was authenticated later has already said hello. */
  isStale(link: OnlineLink): boolean {
    const newest = this.#links.get(link.deviceId)?.order ?? this.#left.get(link.deviceId)?.order ?? 0;
    return link.order < newest;
  }

  /** Makes the link current; returns the one it replaced. */
  enter(link: OnlineLink): OnlineLink | undefined {
    const replaced = this.#links.get(link.deviceId);
    this.#links.set(link.deviceId, link);
    this.#left.delete(link.deviceId);
    return replaced === link ? undefined : replaced;
  }

  /** True when the link was current: the device is gone now. */
  leave(link: OnlineLink): boolean {
    if (!this.isCurrent(link)) return false;
    this.#links.delete(link.deviceId);
    this.#left.set(link.deviceId, {
      monotonic: this.#clock.monotonic(),
      at: this.#clock.now(),
      order: link.order,
    });
    return true;
  }

  /** Since when the device has had no link, counted from the controller's start at the earliest; undefined when it is here. */
  absence(deviceId: string): Absence | undefined {
    if (this.#links.has(deviceId)) return undefined;
    return this.#left.get(deviceId) ?? this.#startedAt;
  }

  /** When the device was heard last; undefined when it is not here. */
  heardAt(deviceId: string): Instant | undefined {
    const link = this.#links.get(deviceId);
    return link && lastHeard(link, this.#clock);
  }

  /** Forgets departures of long ago. */
  sweep(): void {
    const before = this.#clock.monotonic() - rememberMs;
    for (const [deviceId, { monotonic }] of this.#left) {
      if (monotonic < before) this.#left.delete(deviceId);
    }
  }
}

/** When a link was heard last, by the wall clock of now. */
export const lastHeard = ({ aliveAt }: OnlineLink, clock: Clock): Instant =>
  clock.now() - Math.round(clock.monotonic() - aliveAt);
