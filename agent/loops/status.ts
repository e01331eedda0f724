import type { Clock, Instant } from '../../shared/clock.ts';

/** How the agent stands with its controller. */
export type LinkState = 'connecting' | 'online' | 'refused' | 'draining' | 'stopped';

export interface AgentStatus {
  state: LinkState;
  since: Instant;
  /** Why the last dial or link ended; null while everything is well. */
  lastError: { at: Instant; code: string; message: string } | null;
  instanceId: string;
  bootId: string | null;
  epoch: number | null;
  storeId: string | null;
  session: string | null;
  tasks: { code: string; type: string; state: string }[];
  outbox: { rows: number; bytes: number };
}

/** A busy machine may be late by so much. */
const slackMs = 60_000;

/** What the loops tell about the link, for `status`. */
export class LinkStatus {
  readonly #clock: Clock;
  #state: LinkState = 'connecting';
  #since: Instant;
  #lastError: AgentStatus['lastError'] = null;
  #session: string | null = null;
  /** By `clock.monotonic`. */
  #dueAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
    this.#dueAt = clock.monotonic() + slackMs;
  }

  get current(): Pick<AgentStatus, 'state' | 'since' | 'lastError' | 'session'> {
    return {
      state: this.#state,
      since: this.#since,
      lastError: this.#lastError,
      session: this.#session,
    };
  }

  /** The link will move again within `ms`: it waits for so long, or asks for a sign of life then. */
  movesWithin(ms: number): void {
    this.#dueAt = this.#clock.monotonic() + ms + slackMs;
  }

  /** False once the link did not do what it was about to do: it hangs. */
  get isMoving(): boolean {
    return this.#state === 'stopped' || this.#clock.monotonic() <= this.#dueAt;
  }

  online(session: string): void {
    this.#session = session;
    this.#lastError = null;
    this.#become('online');
  }

  ended(code: string, message: string): void {
    this.#session = null;
    this.#lastError = { at: this.#clock.now(), code, message };
  }

  become(state: Exclude<LinkState, 'online'>): void {
    // A drain is not undone by what the link does meanwhile.
    if (this.#state !== 'draining' || state === 'stopped') this.#become(state);
  }

  #become(state: LinkState): void {
    if (state === 'online' && this.#state === 'draining') return;
    if (state !== this.#state) this.#since = this.#clock.now();
    this.#state = state;
  }
}
