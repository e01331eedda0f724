import type { KeyObject } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import type { Instant } from '../shared/clock.ts';
import { exportPrivateKey, generateKeyPair, importPrivateKey, type KeyPair } from '../shared/node/keys.ts';
import { replaceFile } from '../shared/node/replace-file.ts';
import type { DataFolder } from './data-folder.ts';
import { saveKeys } from './identity.ts';

const dayMs = 86_400_000;

/**
 * The device's key as it is now: whoever signs asks each time, for it changes.
 *
 * - A next key is on disk before anybody hears of it, and becomes the key by one rename.
 */
export class DeviceKey implements KeyPair {
  readonly #folder: DataFolder;
  #keys: KeyPair;

  constructor(folder: DataFolder, keys: KeyPair) {
    this.#folder = folder;
    this.#keys = keys;
  }

  get publicKey(): string {
    return this.#keys.publicKey;
  }

  get privateKey(): KeyObject {
    return this.#keys.privateKey;
  }

  /** Made, or come to this disk, so long ago; or by a clock that was ahead then, so that nobody knows. */
  isOlderThan(ms: number, now: Instant): boolean {
    const ageMs = now - statSync(this.#folder.key).mtimeMs;
    return ageMs > ms || ageMs < -dayMs;
  }

  /** The key that is to follow; the one that was made before, if it was not given up. */
  next(): KeyPair {
    const { nextKey: path } = this.#folder;
    if (!existsSync(path)) replaceFile(path, exportPrivateKey(generateKeyPair().privateKey));
    return importPrivateKey(readFileSync(path, 'utf8'));
  }

  giveUpNext(): void {
    rmSync(this.#folder.nextKey, { force: true });
  }

  /** The next key becomes the key; the one before is gone. */
  takeNext(): void {
    const next = this.next();
    renameSync(this.#folder.nextKey, this.#folder.key);
    const folder = openSync(this.#folder.path, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
    this.#keys = next;
  }

  /** Takes a key that was made elsewhere. */
  replace(keys: KeyPair): void {
    this.#keys = saveKeys(this.#folder, keys);
  }
}
