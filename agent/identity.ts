import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { DeviceTokenParts } from './link/device-token.ts';
import type { Instant } from '../shared/clock.ts';
import { ControllerKeys } from '../shared/node/controller-keys.ts';
import { parseJson } from '../shared/parse.ts';
import { KeyChanges } from '../shared/protocol/key-change.ts';
import { exportPrivateKey, importPrivateKey, type KeyPair } from '../shared/node/keys.ts';
import { CommandError } from './command-error.ts';
import type { DataFolder } from './data-folder.ts';
import { replaceFile } from '../shared/node/replace-file.ts';

/** What enrolment gave this device: who it is, and whom it obeys. */
export const Identity = z.object({
  device_id: z.string(),
  name: z.string(),
  organization: z.string(),
  controller_id: z.string(),
  /** Pinned: orders of this key are obeyed, and of those that it handed on to. Raw Ed25519, base64url. */
  controller_key: z.string(),
  /** What that key handed on to, as it was signed, oldest first. */
  key_changes: KeyChanges.default([]),
  controller_url: z.string(),
  enrolled_at: z.string(),
});
export type Identity = z.output<typeof Identity>;

/** Undefined when this device did not enrol. */
export function readIdentity(folder: DataFolder): Identity | undefined {
  if (!existsSync(folder.identity)) return undefined;
  return parseJson(folder.identity, Identity, readFileSync(folder.identity, 'utf8'));
}

export function saveIdentity(folder: DataFolder, identity: z.input<typeof Identity>): void {
  replaceFile(folder.identity, `${JSON.stringify(identity, undefined, 2)}\n`);
}

/** Whose orders this device obeys. What is learned stays in its identity. */
export function controllerKeysOf(
  identity: Identity,
  { now, folder }: { now: () => Instant; folder?: DataFolder },
): ControllerKeys {
  return new ControllerKeys({
    controllerId: identity.controller_id,
    pinned: identity.controller_key,
    changes: identity.key_changes,
    now,
    ...(folder && { save: (changes) => saveIdentity(folder, { ...identity, key_changes: changes }) }),
  });
}

/** The device's key; made here when it enrols, and never leaves the device. */
export function readKeys(folder: DataFolder): KeyPair | undefined {
  if (!existsSync(folder.key)) return undefined;
  try {
    return importPrivateKey(readFileSync(folder.key, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`${folder.key} cannot be used as the key of this device: ${reason}`);
  }
}

export function saveKeys(folder: DataFolder, keys: KeyPair): KeyPair {
  replaceFile(folder.key, exportPrivateKey(keys.privateKey));
  return keys;
}

/** Who this device is to its controller, and where that is: what every request and every dial begins with. */
export const askingAs = (
  identity: Identity,
  { keys, controllerClock, random }: Pick<DeviceTokenParts, 'keys' | 'controllerClock' | 'random'>,
): DeviceTokenParts & { url: string } => ({
  url: identity.controller_url,
  controllerId: identity.controller_id,
  deviceId: identity.device_id,
  keys,
  controllerClock,
  random,
});
