import type { Clock } from '../../shared/clock.ts';
import type { FrameSocket } from '../../shared/frame-socket.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import type { AdmittedDevice } from '../devices/admission.ts';
import type { OnlineDevices } from '../devices/online.ts';
import type { Inbox } from '../tasks/inbox.ts';
import { Link, type LinkOwner } from './link.ts';

export interface LinksParts {
  inbox: Inbox;
  online: OnlineDevices;
  clock: Clock;
  log: Logger;
  settings: { heartbeatMs: number; deadAfterMs: number; helloTimeoutMs: number; maxBufferedBytes: number };
}

/** How often all links are looked at, for all of them together: a timer per link would cost more than the link. */
const sweepMs = 1_000;

/**
 * All open links of this controller.
 *
 * - A link in here is open; a closed one is taken out in the same call that closes it.
 * - Silence: pinged after `heartbeatMs`, dropped after `deadAfterMs`; a link without hello is closed after `helloTimeoutMs`.
 */
export class Links {
  readonly #parts: LinksParts;
  readonly #links = new Set<Link>();
  readonly #owner: LinkOwner;
  #order = 0;

  constructor(parts: LinksParts) {
    this.#parts = parts;
    const { inbox, clock, settings } = parts;
    this.#owner = {
      clock,
      maxBufferedBytes: settings.maxBufferedBytes,
      hello: (link, hello) => inbox.hello(link, hello),
      reports: (link, reports, length) => inbox.reports(link, reports, length),
      refusal: (link, refusal) => inbox.refusal(link, refusal),
      facts: (link, facts) => inbox.facts(link, facts),
      closed: (link, code, reason) => this.#closed(link, code, reason),
    };
  }

  get size(): number {
    return this.#links.size;
  }

  open(device: AdmittedDevice, socket: FrameSocket): void {
    this.#order += 1;
    const link = new Link(device, this.#order, socket, this.#owner);
    this.#links.add(link);
    socket.listen(link);
  }

  /** Sweeps until aborted, then closes every link. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    while (!signal.aborted) {
      await clock.sleep(sweepMs, signal).catch(() => undefined);
      if (!signal.aborted) this.#sweep();
    }
    for (const link of [...this.#links]) link.close(closeCodes.goingAway, 'the controller stops');
  }

  closeDevices(deviceIds: string[], code: number, reason: string): void {
    const gone = new Set(deviceIds);
    for (const link of [...this.#links]) if (gone.has(link.deviceId)) link.close(code, reason);
  }

  #sweep(): void {
    const { clock, online, settings } = this.#parts;
    const now = clock.monotonic();
    for (const link of [...this.#links]) {
      const silentMs = now - link.aliveAt;
      if (silentMs >= settings.deadAfterMs) link.terminate(`silent for ${Math.round(silentMs / 1000)} s`);
      // A link without hello is not pinged before this bound, so that `pingedAt` is when it was opened.
      else if (!link.saidHello && now - link.pingedAt >= settings.helloTimeoutMs) {
        link.close(closeCodes.helloTimeout, `no hello within ${settings.helloTimeoutMs} ms`);
      } else if (silentMs >= settings.heartbeatMs && now - link.pingedAt >= settings.heartbeatMs) {
        link.ping(now);
      }
    }
    online.sweep();
  }

  #closed(link: Link, code: number, reason: string): void {
    const { inbox, online, log } = this.#parts;
    this.#links.delete(link);
    log.debug({ device: link.deviceId, code, reason }, 'link closed');
    online.leave(link);
    if (link.storeId !== '') inbox.left(link);
  }
}
