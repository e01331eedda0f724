import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { exportPrivateKey, generateKeyPair, importPrivateKey, type KeyPair } from '../../shared/node/keys.ts';
import type { SignedKeyChange } from '../../shared/protocol/key-change.ts';
import type { SettingStore } from '../store/settings.ts';
import { keyChanges, keyFileName, settleKey } from './rotate-controller-key.ts';

/** Who this controller is: agents pin its key, tokens name its id. */
export interface ControllerIdentity {
  controllerId: string;
  keys: KeyPair;
  /** How the key changed, oldest first: devices follow it from the key they know. */
  keyChanges?: SignedKeyChange[];
  /** Signs the access tokens of people who log in, and nothing else. */
  sessionKeys?: KeyPair;
}

const idSetting = 'controller_id';
const sessionKeyFileName = 'session-key.pem';

/** Makes the key file (0600, in the data folder) and the id (in the store); never replaces an existing key. */
export async function createIdentity(
  settings: SettingStore,
  dataFolder: string,
  random: Random,
): Promise<ControllerIdentity> {
  const path = join(dataFolder, keyFileName);
  if (!existsSync(path)) {
    writeKey(path);
  }
  if ((await settings.get(idSetting)) === undefined) await settings.set(idSetting, random.uuid());
  return loadIdentity(settings, dataFolder);
}

/** Throws `not_found` with the way out when the data folder was not initialised. */
export async function loadIdentity(settings: SettingStore, dataFolder: string): Promise<ControllerIdentity> {
  const path = join(dataFolder, keyFileName);
  const controllerId = await settings.get(idSetting);
  if (controllerId === undefined || !existsSync(path)) {
    throw new AppError(
      'not_found',
      `${dataFolder} holds no controller yet: run \`muster-controller init --data ${dataFolder}\` first`,
    );
  }
  const sessionPath = join(dataFolder, sessionKeyFileName);
  // Losing it only ends sessions: it is simply made again.
  if (!existsSync(sessionPath)) writeKey(sessionPath);
  await settleKey(settings, dataFolder);
  return {
    controllerId,
    keys: readKey(path),
    keyChanges: await keyChanges(settings),
    sessionKeys: readKey(sessionPath),
  };
}

const writeKey = (path: string): void =>
  writeFileSync(path, exportPrivateKey(generateKeyPair().privateKey), { mode: 0o600, flag: 'wx' });

function readKey(path: string): KeyPair {
  chmodSync(path, 0o600);
  return importPrivateKey(readFileSync(path, 'utf8'));
}
