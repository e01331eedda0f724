import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import type { Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { type MasterKey, masterKeyBytes } from './secret-key.ts';

/** Where a sealed value belongs; it opens nowhere else. */
export interface SecretPlace {
  organizationId: string;
  scope: string;
  key: string;
  name: string;
}

export interface SealedSecret {
  sealed: string;
  keyId: string;
  /** Keyed digest of the value: equal values of an organization have equal tags, and a tag tells nothing else. */
  tag: string;
}

interface Keys {
  id: string;
  sealing: Buffer;
  tagging: Buffer;
}

const nonceBytes = 12;
const macBytes = 16;

/** Seals values for the database with a key that is not in it: AES-256-GCM, bound to their place. */
export class SecretBox {
  readonly #master: MasterKey;
  readonly #random: Random;
  #keys: Keys | undefined;

  constructor(master: MasterKey, random: Random) {
    this.#master = master;
    this.#random = random;
  }

  seal(value: string, place: SecretPlace): SealedSecret {
    const { id, sealing } = this.#open();
    const nonce = this.#random.bytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(placeBytes(place));
    const bytes = Buffer.concat([nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return { sealed: bytes.toString('base64'), keyId: id, tag: this.#tag(value, place) };
  }

  /** Throws `conflict` when it was sealed with another key, or is not what was sealed. Nothing of the value is in the error. */
  unseal({ sealed, keyId }: { sealed: string; keyId: string }, place: SecretPlace): string {
    const { id, sealing } = this.#open();
    const what = `Secret variable ${place.name} cannot be opened`;
    if (keyId !== id) {
      throw new AppError(
        'conflict',
        `${what}: it was sealed with key ${keyId}, and the key file of this controller holds ${id}; put that file back, or set the variable again`,
      );
    }
    const bytes = Buffer.from(sealed, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', sealing, bytes.subarray(0, nonceBytes))
        .setAAD(placeBytes(place))
        .setAuthTag(bytes.subarray(-macBytes));
      const text = decipher.update(bytes.subarray(nonceBytes, -macBytes));
      return Buffer.concat([text, decipher.final()]).toString();
    } catch {
      throw new AppError('conflict', `${what}: its row was changed or damaged; set the variable again`);
    }
  }

  #tag(value: string, { organizationId, name }: SecretPlace): string {
    const text = JSON.stringify([organizationId, name, value]);
    return createHmac('sha256', this.#open().tagging).update(text).digest('hex').slice(0, 32);
  }

  #open(): Keys {
    return (this.#keys ??= keysOf(this.#master()));
  }
}

function keysOf(master: Buffer): Keys {
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', master, '', `muster ${purpose}`, masterKeyBytes));
  const id = createHash('sha256').update(derive('key id')).digest('hex').slice(0, 16);
  return { id, sealing: derive('seal'), tagging: derive('tag') };
}

const placeBytes = ({ organizationId, scope, key, name }: SecretPlace): Buffer =>
  Buffer.from(JSON.stringify([organizationId, scope, key, name]));
