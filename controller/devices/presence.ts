import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { DeviceStore } from '../store/devices.ts';
import type { OnlineDevices } from './online.ts';

const touchEveryMs = 60_000;
/** Devices per statement, and the pause between, so that a fleet's sign of life never holds up the work. */
const batch = 500;
const pauseMs = 20;

/** Stores when online devices were heard last, every minute: what is stored may be a minute behind, `OnlineDevices` is not. */
export class Presence {
  readonly #parts: { devices: DeviceStore; online: OnlineDevices; clock: Clock; log: Logger };

  constructor(parts: { devices: DeviceStore; online: OnlineDevices; clock: Clock; log: Logger }) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    while (!signal.aborted) {
      await clock.sleep(touchEveryMs, signal).catch(() => undefined);
      try {
        await this.#touchAll(signal);
      } catch (error) {
        log.error({ err: error }, 'storing signs of life failed, the next pass tries again');
      }
    }
  }

  async #touchAll(signal: AbortSignal): Promise<void> {
    const { devices, online, clock } = this.#parts;
    const ids = online.ids();
    for (let from = 0; from < ids.length && !signal.aborted; from += batch) {
      const heard = ids
        .slice(from, from + batch)
        .map((deviceId) => ({ deviceId, at: online.heardAt(deviceId) }));
      await devices.touch(heard.flatMap(({ deviceId, at }) => (at === undefined ? [] : { deviceId, at })));
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }
}
