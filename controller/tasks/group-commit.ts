import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { SignedKeyChange } from '../../shared/protocol/key-change.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import type { Bus } from '../bus/bus.ts';
import { FleetSize, reconnectWithinMs } from '../devices/fleet-size.ts';
import { lastHeard, type OnlineDevices } from '../devices/online.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { applyRefusals } from './apply-refusals.ts';
import { applyReports } from './apply-reports.ts';
import { Changes } from './changes.ts';
import { deviceEvent, greet } from './greet.ts';
import type { Inbox, Share } from './inbox.ts';

export interface GroupCommitParts {
  store: Store;
  bus: Bus;
  inbox: Inbox;
  online: OnlineDevices;
  clock: Clock;
  random: Random;
  /** How the controller's key changed, oldest first. */
  keyChanges: SignedKeyChange[];
  log: Logger;
  settings: { heartbeatMs: number; timeoutGraceMs: number; lanePauseMs: number; diskFullPauseMs: number };
  /** Told after each commit which devices may take more, and in which runs a task ended. */
  advanced(deviceIds: Set<string>, runIds: Set<string>): void;
}

/** Nobody waits for a welcome of a few milliseconds, and a hello comes rarely alone after a restart. */
const helloWaitMs = 4;

/**
 * Applies what links deliver: everything that waits goes into one transaction, and the answers follow its commit.
 *
 * - One commit at a time, so what a link is told follows the order of commits.
 * - Nothing is said to a device before the commit it speaks of.
 * - When a commit fails, each link's share is tried alone; a link whose share fails alone is closed. All of it is safe to resend.
 * - Only the current link of a device, or its last one when it has none now, is listened to.
 */
export class GroupCommit {
  readonly #parts: GroupCommitParts;
  readonly #fleet = new FleetSize();
  commits = 0;
  commitFailures = 0;
  reportsApplied = 0;
  lastCommitFailed = false;

  constructor(parts: GroupCommitParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { inbox, clock } = this.#parts;
    for (;;) {
      await inbox.filled(signal);
      // One turn of the event loop, so that frames which arrived together share a commit; a returning fleet shares few.
      await clock.sleep(inbox.hasHello ? helloWaitMs : 0, signal).catch(() => undefined);
      if (signal.aborted) return;
      await this.#flush(inbox.take(), signal);
      this.#deliverCancels();
    }
  }

  async #flush(shares: Share[], signal: AbortSignal): Promise<void> {
    if (shares.length === 0) return;
    try {
      await this.#commit(shares);
      return;
    } catch (error) {
      this.commitFailures += 1;
      this.#parts.log.warn({ err: error, links: shares.length }, 'commit failed, trying each link alone');
    }
    let failed = 0;
    for (const share of shares) {
      if (signal.aborted) return;
      try {
        await this.#commit([share]);
      } catch (error) {
        failed += 1;
        this.#parts.log.error(
          { err: error, device: share.link.deviceId },
          'commit for one link failed, closing it',
        );
        share.link.close(closeCodes.overloaded, 'the controller could not store what the link delivered');
      }
    }
    this.lastCommitFailed = failed === shares.length;
  }

  async #commit(shares: Share[]): Promise<void> {
    const { store, bus } = this.#parts;
    const changes = await store.transaction(async (tables) => {
      const gathered = new Changes();
      await this.#apply(tables, shares, gathered);
      await gathered.write(tables);
      return gathered;
    });
    this.commits += 1;
    this.lastCommitFailed = false;
    for (const act of changes.afterCommit) act();
    if (changes.events.length > 0) bus.publish('events', {});
    this.#parts.advanced(changes.freedDevices, changes.advancedRuns);
  }

  async #apply(tables: StoreTables, shares: Share[], changes: Changes): Promise<void> {
    const { online, clock, random, settings } = this.#parts;
    const times = { now: clock.now(), monotonic: clock.monotonic() };

    const heard = shares.filter((share) => this.#isHeard(share));
    const deliveries = heard.filter(({ reports }) => reports.length > 0);
    if (deliveries.length > 0) {
      await applyReports(tables, deliveries, changes, { ...times, timeoutGraceMs: settings.timeoutGraceMs });
      changes.afterCommit.push(() => {
        for (const { reports } of deliveries) this.reportsApplied += reports.length;
      });
    }
    const refusals = heard.flatMap(({ link, refusals }) => refusals.map((refusal) => ({ link, refusal })));
    if (refusals.length > 0) await applyRefusals(tables, refusals, changes, { ...times, ...settings });
    for (const { link, facts } of heard) {
      if (facts) await tables.devices.saveFacts(link.deviceId, facts.digest, facts.facts, times.now);
    }
    await this.#applyDepartures(tables, shares, changes, times.now);

    const greetings = shares.flatMap(({ link, hello }) => (hello ? [{ link, hello }] : []));
    if (greetings.length > 0) {
      await greet(tables, greetings, changes, {
        ...times,
        random,
        online,
        heartbeatMs: settings.heartbeatMs,
        reconnectWithinMs: reconnectWithinMs(await this.#fleet.count(tables, times.monotonic)),
        keyChanges: this.#parts.keyChanges,
        timeoutGraceMs: settings.timeoutGraceMs,
        left: (link) => this.#parts.inbox.left(link),
      });
    }
  }

  /** A link that said hello in an earlier commit, and that no newer one has replaced. */
  #isHeard({ link }: Share): boolean {
    if (link.storeId === '') return false;
    const current = this.#parts.online.get(link.deviceId);
    return current === link || (current === undefined && !this.#parts.online.isStale(link));
  }

  async #applyDepartures(tables: StoreTables, shares: Share[], changes: Changes, now: number): Promise<void> {
    const { online } = this.#parts;
    const gone = shares
      .filter((share) => share.left && this.#isHeard(share) && online.get(share.link.deviceId) === undefined)
      .map(({ link }) => link);
    if (gone.length === 0) return;
    const { clock } = this.#parts;
    await tables.devices.touch(gone.map((link) => ({ deviceId: link.deviceId, at: lastHeard(link, clock) })));
    changes.events.push(...gone.map((link) => deviceEvent(link, 'device.offline', now)));
  }

  #deliverCancels(): void {
    const { inbox, online } = this.#parts;
    for (const { deviceId, code } of inbox.takeCancels()) {
      online.get(deviceId)?.send({ type: 'task.cancel', code });
    }
  }
}
