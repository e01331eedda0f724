import { z } from 'zod';
import { secretMarkerPattern } from '../../shared/manifest.ts';
import { collect } from './live-files.ts';
import { rejected } from './sync-error.ts';
import type { TransactionContext, TransactionParts } from './transaction-parts.ts';

const Secrets = z.record(z.string(), z.string());

/** Values of secret variables by name. Never logged. */
export type SecretValues = ReadonlyMap<string, string>;

/** Fetches and decrypts the values that the manifest's markers stand for; none when it has no markers. */
export async function fetchSecrets(
  names: string[],
  { transfers, keys }: Pick<TransactionParts, 'transfers' | 'keys'>,
  { code, signal }: Pick<TransactionContext, 'code' | 'signal'>,
): Promise<SecretValues> {
  if (names.length === 0) return new Map();
  const ciphertext = await transfers.secrets(code, signal);
  let plain: unknown;
  try {
    plain = JSON.parse(Buffer.from(await collect(keys.decrypt(once(ciphertext)))).toString('utf8'));
  } catch {
    // The cause could show what was decrypted.
    throw rejected(
      'rejected_render',
      'The secrets of the task cannot be decrypted with the key of this device',
    );
  }
  const values = Secrets.safeParse(plain);
  if (!values.success) throw rejected('rejected_render', 'The secrets of the task are not names with texts');
  const missing = names.filter((name) => values.data[name] === undefined);
  if (missing.length > 0) {
    throw rejected('rejected_render', `There is no value for the secret ${missing.join(', ')}`);
  }
  return new Map(names.map((name) => [name, values.data[name] ?? '']));
}

/** The text with every marker replaced. A marker that is unknown or broken is an error: nothing of it may reach a file. */
export function fillMarkers(text: string, path: string, values: SecretValues): string {
  const broken = text.replace(secretMarkerPattern, '').match(/<<muster:[^\n]{0,40}/)?.[0];
  if (broken !== undefined) throw rejected('rejected_render', `${path} has a broken marker: ${broken}`);
  return text.replace(secretMarkerPattern, (_marker, name: string) => {
    const value = values.get(name);
    if (value === undefined)
      throw rejected('rejected_render', `${path} names the secret ${name}, which the manifest does not have`);
    return value;
  });
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
