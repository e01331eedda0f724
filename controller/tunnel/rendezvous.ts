import type { Duplex } from 'node:stream';
import { AppError } from '../../shared/errors.ts';
import { splice, type Spliced } from './splice.ts';

export type Side = 'operator' | 'device';

/** A side that asked to join and was not answered yet. */
export interface Arrival {
  /** Answers 101 and hands over the connection. */
  accept(): Promise<Duplex>;
  refuse(error: AppError): void;
  /** The asker went away before it was answered. */
  onGone(callback: () => void): void;
}

export interface Joined {
  /** Both sides are there. */
  opened(session: string): void;
  closed(session: string, totals: Spliced): void;
}

interface Meeting {
  arrivals: Partial<Record<Side, Arrival>>;
  open: { operator: Duplex; device: Duplex } | undefined;
}

/**
 * Where the two sides of a session meet. Neither is answered before the other is there.
 *
 * - A side is taken once: a second one is refused while the first waits or is joined.
 * - Whoever waits is told when the session ends before it began.
 */
export class Rendezvous {
  readonly #joined: Joined;
  readonly #maxSessions: number;
  readonly #meetings = new Map<string, Meeting>();

  constructor(joined: Joined, maxSessions: number) {
    this.#joined = joined;
    this.#maxSessions = maxSessions;
  }

  /** Sessions that wait or are open. */
  get size(): number {
    return this.#meetings.size;
  }

  /** Those in which somebody waits. */
  waiting(): string[] {
    return [...this.#meetings].flatMap(([session, { open }]) => (open ? [] : [session]));
  }

  /** Throws `conflict` when the side is taken, `unavailable` when there are too many sessions. */
  arrive(session: string, side: Side, arrival: Arrival): void {
    const meeting = this.#meetingOf(session);
    if (meeting.open || meeting.arrivals[side]) {
      throw new AppError('conflict', `The ${side}'s side of session ${session} is taken`);
    }
    meeting.arrivals[side] = arrival;
    arrival.onGone(() => {
      if (meeting.arrivals[side] !== arrival || meeting.open) return;
      delete meeting.arrivals[side];
      if (!meeting.arrivals.operator && !meeting.arrivals.device) this.#meetings.delete(session);
    });
    const { operator, device } = meeting.arrivals;
    if (operator && device) void this.#open(session, meeting, operator, device);
  }

  /** Ends a session: who waits is told `error`, who is joined is cut off. */
  end(session: string, error: AppError): void {
    const meeting = this.#meetings.get(session);
    if (!meeting) return;
    this.#meetings.delete(session);
    if (meeting.open) {
      meeting.open.operator.destroy();
      meeting.open.device.destroy();
    } else {
      meeting.arrivals.operator?.refuse(error);
      meeting.arrivals.device?.refuse(error);
    }
  }

  endAll(error: AppError): void {
    for (const session of [...this.#meetings.keys()]) this.end(session, error);
  }

  #meetingOf(session: string): Meeting {
    const known = this.#meetings.get(session);
    if (known) return known;
    if (this.#meetings.size >= this.#maxSessions) {
      throw new AppError(
        'unavailable',
        `This controller serves at most ${this.#maxSessions} sessions at a time`,
        {
          detail: { retry_after_ms: 5_000 },
        },
      );
    }
    const meeting: Meeting = { arrivals: {}, open: undefined };
    this.#meetings.set(session, meeting);
    return meeting;
  }

  async #open(session: string, meeting: Meeting, operator: Arrival, device: Arrival): Promise<void> {
    const [left, right] = await Promise.all([operator.accept(), device.accept()]);
    meeting.open = { operator: left, device: right };
    const { totals, ended } = splice(left, right);
    this.#joined.opened(session);
    await ended;
    if (this.#meetings.get(session) === meeting) this.#meetings.delete(session);
    this.#joined.closed(session, totals);
  }
}
