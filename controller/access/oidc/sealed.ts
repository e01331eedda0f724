import { hkdfSync } from 'node:crypto';
import { EncryptJWT, errors, jwtDecrypt } from 'jose';
import type { z } from 'zod';
import type { Clock } from '../../../shared/clock.ts';
import type { KeyPair } from '../../../shared/node/keys.ts';

const algorithms = { alg: 'dir', enc: 'A256GCM' } as const;

/**
 * Texts that only controllers of this key can read and make. What a login needs to remember travels with whoever logs in, so that
 * strangers who begin logins fill nothing, and any controller can go on with it.
 */
export class Sealed {
  readonly #clock: Clock;
  readonly #key: Uint8Array;

  constructor(clock: Clock, { privateKey }: KeyPair) {
    this.#clock = clock;
    const secret = privateKey.export({ format: 'der', type: 'pkcs8' });
    this.#key = new Uint8Array(hkdfSync('sha256', secret, '', 'sealed texts', 32));
  }

  /** `purpose`: one sealed for another is not read. */
  seal(purpose: string, value: Record<string, unknown>, lifetimeMs: number): Promise<string> {
    return new EncryptJWT({ value })
      .setProtectedHeader({ ...algorithms, typ: purpose })
      .setExpirationTime(Math.ceil((this.#clock.now() + lifetimeMs) / 1000))
      .encrypt(this.#key);
  }

  /** Undefined when it is not ours, of another purpose, or expired. */
  async open<Schema extends z.ZodType>(
    purpose: string,
    schema: Schema,
    text: string,
  ): Promise<z.output<Schema> | undefined> {
    try {
      const { payload } = await jwtDecrypt(text, this.#key, {
        typ: purpose,
        requiredClaims: ['exp'],
        currentDate: new Date(this.#clock.now()),
        keyManagementAlgorithms: [algorithms.alg],
        contentEncryptionAlgorithms: [algorithms.enc],
      });
      return schema.safeParse(payload['value']).data;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}
