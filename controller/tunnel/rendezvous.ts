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
  isOpening: boolean;
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
    return [...this.#meetings].flatMap(([session, { isOpening }]) => (isOpening ? [] : [session]));
  }

  /** Throws `conflict` when the side is taken, `unavailable` when there are too many sessions. */
  arrive(session: string, side: Side, arrival: Arrival): void {
    const meeting = this.#meetingOf(session);
    if (meeting.isOpening || meeting.arrivals[side]) {
      throw new AppError('conflict', `The ${side}'s side of session ${session} is taken`);
    }
    meeting.arrivals[side] = arrival;
    arrival.onGone(() => {
      if (meeting.arrivals[side] !== arrival || meeting.isOpening) return;
      delete meeting.arrivals[side];
      if (!meeting.arrivals.operator && !meeting.arrivals.device) this.#meetings.delete(session);
    });
    const { operator, device } = meeting.arrivals;
    if (operator && device) void this.#open(session, meeting, { operator, device });
  }

  /** Ends a session: who waits is told `error`, who is joined is cut off. */
  end(session: string, error: AppError): void {
    const meeting = this.#meetings.get(session);
    if (!meeting) return;
    this.#meetings.delete(session);
    if (meeting.open) {
      meeting.open.operator.destroy();
      meeting.open.device.destroy();
    } else if (!meeting.isOpening) {
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
    const meeting: Meeting = { arrivals: {}, isOpening: false, open: undefined };
    this.#meetings.set(session, meeting);
    return meeting;
  }

  async #open(session: string, meeting: Meeting, sides: Record<Side, Arrival>): Promise<void> {
    meeting.isOpening = true;
    const accepted = await Promise.allSettled([sides.operator.accept(), sides.device.accept()]);
    const [operator, device] = accepted.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
    if (!operator || !device || this.#meetings.get(session) !== meeting) {
      if (this.#meetings.get(session) === meeting) this.#meetings.delete(session);
      const error = new AppError(
        'conflict',
        `Session ${session} could not be joined: a side was taken before, or it was ended`,
      );
      for (const [socket, side] of [
        [operator, sides.operator],
        [device, sides.device],
      ] as const) {
        if (socket) socket.destroy();
        else side.refuse(error);
      }
      return;
    }
    meeting.open = { operator, device };
    const { totals, ended } = splice(operator, device);
    this.#joined.opened(session);
    await ended;
    if (this.#meetings.get(session) === meeting) this.#meetings.delete(session);
    this.#joined.closed(session, totals);
  }
}
