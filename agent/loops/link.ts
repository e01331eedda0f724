import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Hello } from '../../shared/protocol/hello.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import { Backoff } from '../link/backoff.ts';
import { sayClock } from '../link/certificate-time.ts';
import { type Dial, DialRefused } from '../link/dial-refused.ts';
import { LinkOver } from '../link/connection.ts';
import { Session, type SessionParts } from './session.ts';
import type { LinkStatus } from './status.ts';
import { untilAborted } from './until-aborted.ts';

/** A link that was welcomed and lasted so long was a healthy one. */
const healthyAfterMs = 10_000;
/** A dial gives up by itself before that. */
const dialMs = 60_000;

export interface LinkParts {
  dial: Dial;
  clock: Clock;
  random: Random;
  log: Logger;
  status: LinkStatus;
  session: Omit<SessionParts, 'onWelcome' | 'movesWithin'>;
  /** The hello of the next link. */
  hello: (connection: number) => Hello;
}

/** Keeps a link to the controller: dials, serves the link until it ends, waits, dials again, for ever. */
export class LinkLoop {
  readonly #parts: LinkParts;
  readonly #backoff: Backoff;
  #session: Session | undefined;
  #connections = 0;
  #isClosing = false;
  #failed = { code: '', count: 0 };
  /** Replaced at every welcome, when it settles. */
  #nextWelcome = Promise.withResolvers<void>();

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.random);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, status } = this.#parts;
    while (!signal.aborted) {
      const waitMs = await this.#once(signal);
      if (signal.aborted || this.#isClosing) break;
      status.movesWithin(waitMs);
      await clock.sleep(waitMs, signal);
      status.become('connecting');
    }
  }

  /** Milliseconds of a round trip. Waits for a link when there is none, and for another when it ends; rejects with the signal's reason. */
  async roundTrip(signal: AbortSignal): Promise<number> {
    for (;;) {
      const session = this.#session;
      if (session?.welcomedAt === undefined) {
        await untilAborted(this.#nextWelcome.promise, signal);
        continue;
      }
      try {
        return await session.connection.roundTrip(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof LinkOver)) throw error;
        await session.connection.ended;
      }
    }
  }

  factsChanged(): void {
    this.#session?.factsChanged();
  }

  /** Says hello again, over another link. */
  dialAnew(reason: string): void {
    this.#session?.connection.close(closeCodes.normal, reason);
  }

  /** Ends the link politely, and dials no more. */
  close(): void {
    this.#isClosing = true;
    this.#session?.connection.close(closeCodes.goingAway, 'the agent stops');
  }

  /** One dial and, if it succeeds, one link. Returns the milliseconds to wait before the next. */
  async #once(signal: AbortSignal): Promise<number> {
    const { dial, log, status, clock } = this.#parts;
    try {
      status.movesWithin(dialMs);
      const socket = await dial(signal);
      return await this.#serve(new Session(socket, this.#sessionParts()), signal);
    } catch (error) {
      signal.throwIfAborted();
      const refused = error instanceof DialRefused;
      if (refused && error.controllerTime !== undefined) {
        this.#parts.session.controllerClock.learn(error.controllerTime);
      }
      const code = refused ? error.code : codeOf(error);
      const said = error instanceof Error ? error.message : String(error);
      const message = sayClock(error, said, clock.now());
      status.ended(code, message);
      if (refused) status.become('refused');
      const waitMs = this.#backoff.next(error);
      const failures = this.#countFailure(code);
      // In a long outage the 1st, 2nd, 4th, 8th … are enough for whoever reads.
      log[Number.isInteger(Math.log2(failures)) ? 'warn' : 'debug'](
        { event: 'link.failed', code, reason: message, failures, retryInMs: Math.round(waitMs) },
        refused ? 'the controller refused the link' : 'the controller cannot be reached',
      );
      return waitMs;
    }
  }

  /** How often the same happened in a row. */
  #countFailure(code: string): number {
    const { code: last, count } = this.#failed;
    this.#failed = { code, count: code === last ? count + 1 : 1 };
    return this.#failed.count;
  }

  async #serve(session: Session, signal: AbortSignal): Promise<number> {
    const { clock, hello, log, status } = this.#parts;
    this.#connections += 1;
    this.#session = session;
    const end = await session.run(hello(this.#connections), signal);
    this.#session = undefined;
    if (session.welcomedAt !== undefined && clock.monotonic() - session.welcomedAt >= healthyAfterMs) {
      this.#backoff.healthy();
    }
    status.ended(`closed_${end.code}`, end.reason || 'the connection was lost');
    if (!signal.aborted) status.become('connecting');
    const waitMs = this.#backoff.next();
    log.info(
      { event: 'link.closed', code: end.code, reason: end.reason, retryInMs: Math.round(waitMs) },
      'the link ended',
    );
    return waitMs;
  }

  #sessionParts(): SessionParts {
    const { status, log, session } = this.#parts;
    return {
      ...session,
      movesWithin: (ms) => status.movesWithin(ms),
      onWelcome: (welcome) => {
        this.#backoff.welcomed(welcome.reconnectWithinMs);
        this.#failed = { code: '', count: 0 };
        status.online(welcome.session);
        this.#nextWelcome.resolve();
        this.#nextWelcome = Promise.withResolvers();
        log.info({ event: 'link.online', session: welcome.session }, 'welcomed by the controller');
      },
    };
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code !== ''
    ? error.code
    : 'unreachable';
