import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';

/** Gives the key that secret values are sealed with. Called when the first one is needed. */
export type MasterKey = () => Buffer;

export const masterKeyBytes = 32;
export const secretKeyFileName = 'secrets.key';

/** The key in a file of its own (0600) beside the database, made at its first use. A copy of the database alone tells no secret. */
export const keyInFolder =
  (folder: string, random: Random): MasterKey =>
  () => {
    const path = join(folder, secretKeyFileName);
    return readKey(path) ?? makeKey(path, folder, random);
  };

/** A key that ends with the process: for tests and simulations. */
export function keyInMemory(random: Random): MasterKey {
  const key = Buffer.from(random.bytes(masterKeyBytes));
  return () => key;
}

function readKey(path: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new AppError(
      'unavailable',
      `${path} is damaged: expected a key of 64 hex digits; put a copy of it back`,
    );
  }
  chmodSync(path, 0o600);
  return Buffer.from(text, 'hex');
}

/** Durable before anything is sealed with it: whoever loses it loses the values. */
function makeKey(path: string, folder: string, random: Random): Buffer {
  const key = Buffer.from(random.bytes(masterKeyBytes));
  writeFileSync(path, `${key.toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  return key;
}
