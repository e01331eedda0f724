import type { z } from 'zod';
import { signKeyChange } from '../shared/node/key-change.ts';
import { exportPrivateKey, keyFingerprint } from '../shared/node/keys.ts';
import type { Logger } from '../shared/node/logger.ts';
import { DeviceKeyAnswer, deviceKeyPath } from '../shared/protocol/transfer.ts';
import type { DeviceKey } from './device-key.ts';
import { DialRefused } from './link/dial-refused.ts';

export interface KeyRotationParts {
  key: Pick<DeviceKey, 'publicKey' | 'privateKey' | 'next' | 'takeNext' | 'giveUpNext'>;
  device: { id: string; controllerId: string };
  post(
    path: string,
    body: unknown,
    answer: typeof DeviceKeyAnswer,
    signal: AbortSignal,
  ): Promise<z.output<typeof DeviceKeyAnswer>>;
  /** Gives the key to the root helper of this device, if it has one: its own requests are signed with it too. */
  share: ((pem: string) => Promise<void>) | undefined;
  log: Logger;
}

/**
 * Gives this device a new key; true when it has one, and the link is to be dialled anew with it.
 *
 * 1. The new key is made, on disk.
 * 2. The controller holds it, shown with a statement that both keys signed: from now on both are accepted.
 * 3. The root helper takes it.
 * 4. It takes the place of the old one, by a rename. The next dial shows it, and ends the old one.
 *
 * Whatever dies between two steps: the key on disk is accepted, and the controller asks again.
 */
export async function rotateDeviceKey(parts: KeyRotationParts, signal: AbortSignal): Promise<boolean> {
  const { key, device, post, share, log } = parts;
  try {
    const next = key.next();
    const statement = {
      purpose: 'device-key',
      controller: device.controllerId,
      device: device.id,
      old: key.publicKey,
      next: next.publicKey,
    };
    const held = await post(
      deviceKeyPath,
      signKeyChange(statement, { old: key, next }),
      DeviceKeyAnswer,
      signal,
    );
    if (held.next !== keyFingerprint(next.publicKey)) throw new Error('the controller holds another key');
    await share?.(exportPrivateKey(next.privateKey));
    signal.throwIfAborted();
    key.takeNext();
    log.info({ event: 'key.rotated', fingerprint: held.next }, 'this device has a new key');
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const { cause } = error as Error;
    // The controller will never take this one.
    if (cause instanceof DialRefused && cause.code === 'conflict') key.giveUpNext();
    log.warn({ event: 'key.not_rotated', err: error }, 'the device keeps its key, trying again later');
    return false;
  }
}
