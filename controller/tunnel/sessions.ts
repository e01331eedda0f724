import type { ConnectAnswer, ConnectRequest } from '../../shared/api/sessions.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { hashSecret, sameDigest } from '../../shared/node/keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { sessionPath } from '../../shared/protocol/session.ts';
import type { Bus } from '../bus/bus.ts';
import type { Actor } from '../devices/actor.ts';
import type { AdmittedDevice } from '../devices/admission.ts';
import type { OrganizationRow } from '../store/access.ts';
import { lifeOf, type SessionRow } from '../store/sessions.ts';
import type { Store } from '../store/store.ts';
import type { Cancellation } from '../tasks/cancel.ts';
import type { Submission, Submitted } from '../tasks/submit.ts';
import { WakeUp } from '../tasks/wake-up.ts';
import { tellSession } from './session-event.ts';
import { type Arrival, Rendezvous } from './rendezvous.ts';
import type { Spliced } from './splice.ts';

export interface SessionsParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  random: Random;
  log: Logger;
  submit: (submission: Submission) => Promise<Submitted>;
  cancelTask: Cancellation['cancelTask'];
  /** Sessions that wait or are open at this controller. */
  maxSessions: number;
}

export const operatorTokenPrefix = 'mss_';
/** 256 bits: no slow hash is needed. */
const secretBytes = 32;
/** How often those who wait are held against the store, beside being told by events. */
const lookEveryMs = 2_000;
/** After this a session that a person closed is cut off, whatever the device does. */
const closeWithinMs = 5_000;

/**
 * Remote sessions: opened by a person, joined by both sides, spliced here.
 *
 * - A session lives as its task does: when the task ends, whoever waits or is joined is told and cut off.
 * - A side is taken once, in the store: also a second controller refuses it.
 * - Bytes are counted where they pass; the audit log tells who opened, joined and closed.
 */
export class Sessions {
  readonly #parts: SessionsParts;
  readonly #meetings: Rendezvous;
  readonly #wakeUp = new WakeUp();
  /** Writes that nobody waits for. */
  readonly #writing = new Set<Promise<void>>();

  constructor(parts: SessionsParts) {
    this.#parts = parts;
    this.#meetings = new Rendezvous(
      { opened: () => {}, closed: (session, totals) => this.#later(this.#closed(session, totals)) },
      parts.maxSessions,
    );
  }

  /** Sessions that wait or are open here. */
  get size(): number {
    return this.#meetings.size;
  }

  /** Makes the CONNECT task. Throws as a submission does. */
  async open(
    actor: Actor,
    organization: OrganizationRow,
    device: string,
    wish: ConnectRequest,
  ): Promise<ConnectAnswer> {
    const { random, clock, submit } = this.#parts;
    const id = random.uuid();
    const token = operatorTokenPrefix + Buffer.from(random.bytes(secretBytes)).toString('base64url');
    const { answer } = await submit({
      actor,
      organization,
      trigger: 'api',
      request: {
        type: 'CONNECT',
        targets: { devices: [device] },
        payload: {
          session: id,
          mode: wish.mode,
          opened_by: actor.name,
          ...(wish.idle_seconds === undefined ? {} : { idle_seconds: wish.idle_seconds }),
          ...(wish.max_seconds === undefined ? {} : { max_seconds: wish.max_seconds }),
          ...(wish.record === undefined ? {} : { record: wish.record }),
        },
        ...(wish.expires_in_seconds === undefined ? {} : { expires_in_seconds: wish.expires_in_seconds }),
        timeout_seconds: (wish.max_seconds ?? defaultMaxSeconds) + pairAndLingerSeconds,
        force: false,
        dry_run: false,
      },
      alongside: async (tables, { tasks }) => {
        const [task] = tasks;
        if (task === undefined) return;
        const session = {
          id,
          taskCode: task.task,
          organizationId: organization.id,
          deviceId: task.device_uuid,
          mode: wish.mode,
          openedBy: actor.name,
          tokenHash: hashSecret(token),
          createdAt: clock.now(),
        };
        await tables.sessions.insert(session);
        await tellSession(tables, 'session.opened', session, { at: session.createdAt });
      },
    });
    const [task] = answer.tasks;
    if (task === undefined) {
      const reason = answer.skipped[0]?.reason ?? 'it is not ENABLED';
      throw new AppError('unresolved_targets', `No session to ${device}: ${reason}`);
    }
    return {
      task: task.task,
      session: id,
      token,
      path: sessionPath,
      mode: wish.mode,
      expires_at: task.expires_at,
    };
  }

  /** The device's side asks to join. Throws `AppError` when it may not. */
  async deviceArrives(session: string, device: AdmittedDevice, arrival: Arrival): Promise<void> {
    const row = await this.#parts.store.sessions.byId(session);
    if (row === undefined || row.deviceId !== device.id) throw unknownSession(session);
    this.#requireAlive(row);
    this.#meetings.arrive(session, 'device', this.#taking(row, 'device', arrival, null));
    this.#wakeUp.call();
  }

  /** The operator's side asks to join, with the token of the answer that opened the session. */
  async operatorArrives(session: string, token: string, address: string, arrival: Arrival): Promise<void> {
    const row = await this.#parts.store.sessions.byId(session);
    if (row === undefined || !sameDigest(row.tokenHash, hashSecret(token))) {
      throw new AppError('not_authenticated', 'The token of the session is not known here');
    }
    this.#requireAlive(row);
    this.#meetings.arrive(session, 'operator', this.#taking(row, 'operator', arrival, address));
    this.#wakeUp.call();
  }

  /** Ends a session at a person's wish: the device is asked, and cut off if it does not. Throws `not_found`, `conflict`. */
  async close(actor: Actor, idOrCode: string): Promise<SessionRow> {
    const { store, clock, cancelTask } = this.#parts;
    const row = await store.sessions.get(actor.organizationId, idOrCode);
    if (row === undefined) throw unknownSession(idOrCode);
    if (lifeOf(row) === 'closed') throw new AppError('conflict', `Session ${row.id} is closed already`);
    await cancelTask(actor, row.taskCode, { request: true });
    this.#later(
      clock
        .sleep(closeWithinMs)
        .then(() => this.#meetings.end(row.id, new AppError('conflict', 'The session was closed'))),
    );
    return (await store.sessions.get(actor.organizationId, row.id)) ?? row;
  }

  /** Tells those who wait for a session that will not come. Ends every session when aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const unsubscribe = this.#parts.bus.subscribe('events', () => {
      if (this.#meetings.size > 0) this.#wakeUp.call();
    });
    try {
      while (!signal.aborted) {
        await this.#nap(signal);
        if (signal.aborted) break;
        for (const session of this.#meetings.waiting()) await this.#look(session);
      }
    } finally {
      unsubscribe();
      this.#meetings.endAll(new AppError('unavailable', 'The controller is stopping'));
      await Promise.all(this.#writing);
    }
  }

  /** Until something happened; while somebody waits no longer than `lookEveryMs`, because a wake-up may be lost. */
  async #nap(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    if (this.#meetings.waiting().length > 0) {
      const done = (): void => over.abort();
      void this.#parts.clock.sleep(lookEveryMs, AbortSignal.any([signal, over.signal])).then(done, done);
    }
    await this.#wakeUp.wait(AbortSignal.any([signal, over.signal]));
    over.abort();
  }

  async #look(session: string): Promise<void> {
    const row = await this.#parts.store.sessions.byId(session);
    if (row !== undefined && lifeOf(row) !== 'closed') return;
    this.#meetings.end(session, row === undefined ? unknownSession(session) : overFor(row));
  }

  #requireAlive(row: SessionRow): void {
    if (lifeOf(row) === 'closed') throw overFor(row);
  }

  /** Takes the side in the store before it is answered. */
  #taking(row: SessionRow, side: 'operator' | 'device', arrival: Arrival, address: string | null): Arrival {
    const { store, clock } = this.#parts;
    return {
      ...arrival,
      accept: async () => {
        if (!(await store.sessions.join(row.id, side, clock.now(), address))) {
          throw new AppError('conflict', `The ${side}'s side of session ${row.id} was taken before`);
        }
        if (side === 'operator') await this.#note(row, 'join', { ip_address: address });
        return arrival.accept();
      },
    };
  }

  async #closed(session: string, totals: Spliced): Promise<void> {
    const { store, clock } = this.#parts;
    const row = await store.sessions.byId(session);
    await store.sessions.close(session, clock.now(), totals);
    if (row) await this.#note(row, 'close', { bytes_in: totals.bytesIn, bytes_out: totals.bytesOut });
  }

  /** In the audit log, and in the stream of events. */
  async #note(row: SessionRow, what: 'join' | 'close', detail: Record<string, unknown>): Promise<void> {
    const { store, bus, clock } = this.#parts;
    const at = clock.now();
    const { organizationId, taskCode, openedBy } = row;
    await store.transaction(async (tables) => {
      await tables.audit.append([
        {
          at,
          organizationId,
          actor: openedBy,
          action: `session.${what}`,
          target: row.deviceName,
          detail: { session: row.id, task: taskCode, ...detail },
          ipAddress: row.operatorAddress,
          requestId: null,
        },
      ]);
      await tellSession(tables, what === 'join' ? 'session.joined' : 'session.closed', row, {
        at,
        ...detail,
      });
    });
    bus.publish('events', {});
  }

  #later(work: Promise<void>): void {
    const watched = work
      .catch((error: unknown) => this.#parts.log.error({ err: error }, 'a session could not be written down'))
      .finally(() => this.#writing.delete(watched));
    this.#writing.add(watched);
  }
}

const defaultMaxSeconds = 28_800;
/** Of the task's time-out beyond the session's own limit: waiting for the operator, and uploading recordings. */
const pairAndLingerSeconds = 900;

const unknownSession = (session: string): AppError =>
  new AppError('not_found', `Session ${session} does not exist`);

function overFor({ id, errorCode, errorMessage, status }: SessionRow): AppError {
  const why = errorMessage ?? `its task is ${status}`;
  return new AppError('conflict', `Session ${id} is over: ${why}`, {
    detail: { error_code: errorCode, status },
  });
}
