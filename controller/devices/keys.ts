import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { readKeyChange } from '../../shared/node/key-change.ts';
import { keyFingerprint } from '../../shared/node/keys.ts';
import { DeviceKeyChange, type SignedKeyChange } from '../../shared/protocol/key-change.ts';
import type { Bus } from '../bus/bus.ts';
import type { EndedKey } from '../store/device-keys.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { Store } from '../store/store.ts';
import { recordKey } from './record-key.ts';

export interface DeviceKeysParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  controllerId: string;
}

/**
 * How devices change their keys.
 *
 * - A new key is held when the old key and the new one signed for it. From then on both are accepted.
 * - The device dials with the new one only after it was told that it is held; that dial ends the old one.
 * - So whichever side dies at whichever step: the key that the device has on disk is accepted.
 */
export class DeviceKeys {
  readonly #parts: DeviceKeysParts;

  constructor(parts: DeviceKeysParts) {
    this.#parts = parts;
  }

  /** Holds the key that a device made; returns its fingerprint. Throws `bad_request` or `conflict`. */
  async hold(deviceId: string, change: SignedKeyChange): Promise<string> {
    const { store, clock, controllerId } = this.#parts;
    const said = readKeyChange(DeviceKeyChange, change);
    if (said?.device !== deviceId || said.controller !== controllerId) {
      throw new AppError(
        'bad_request',
        'The change of the key is not valid: expected one of this device, for this controller, signed with both keys',
      );
    }
    const { old: current, next } = said;
    return store.transaction(async (tables) => {
      const { keys } = tables.devices;
      const device = await tables.devices.get(deviceId);
      // It came with the new key already; the answer to that was lost.
      if (device?.publicKey === next) return keyFingerprint(next);
      if (device?.nextPublicKey !== next && (await keys.isTaken(next))) {
        throw new AppError('conflict', 'The new key is in use already, or was before: make another one');
      }
      if (!(await keys.hold(deviceId, { current, next }, clock.now()))) {
        throw new AppError('conflict', `The key ${keyFingerprint(current)} is not the key of this device`);
      }
      return keyFingerprint(next);
    });
  }

  /** The device came with the key that was held as its next one. */
  async cameWith(device: DeviceRow, next: string): Promise<void> {
    const { store, bus, clock } = this.#parts;
    const now = clock.now();
    await store.transaction(async (tables) => {
      if (!(await tables.devices.keys.promote(device.id, next, now))) return;
      const detail = { from: keyFingerprint(device.publicKey), to: keyFingerprint(next) };
      const told = { event: 'device.key_rotated', action: 'device.key_rotated' } as const;
      await recordKey(tables, device, { at: now, ...told, detail, ipAddress: null, requestId: null });
    });
    bus.publish('events', {});
  }

  /** Keys that were a device's once, the newest first. */
  endedOf(deviceId: string): Promise<EndedKey[]> {
    return this.#parts.store.devices.keys.endedOf(deviceId);
  }
}

/** For the holder of a key that is accepted no more. */
export const whyEnded = {
  rotated: 'it made a newer key',
  rebound: 'another machine took its place',
  revoked: 'the key was revoked',
  removed: 'the device was removed',
} as const satisfies Record<EndedKey['reason'], string>;
