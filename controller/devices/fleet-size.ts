import type { DeviceStore } from '../store/devices.ts';

const countEveryMs = 60_000;
/** A device of a fleet may dial so often on average that all of them together dial 400 times a second: twice in its ceiling. */
const perDeviceMs = 5;
const shortestMs = 2_000;
const longestMs = 60_000;

/** Within how long a device of such a fleet is to try again while the controller is away: a handful soon, many spread. */
export const reconnectWithinMs = (devices: number): number =>
  Math.min(longestMs, Math.max(shortestMs, devices * perDeviceMs));

/** How many devices may come, online or not, to the minute. */
export class FleetSize {
  #devices = 0;
  #countedAt = Number.NEGATIVE_INFINITY;

  /** `now`: monotonic. */
  async count({ devices }: { devices: Pick<DeviceStore, 'countEnabled'> }, now: number): Promise<number> {
    if (now - this.#countedAt >= countEveryMs) {
      this.#devices = await devices.countEnabled();
      this.#countedAt = now;
    }
    return this.#devices;
  }
}
