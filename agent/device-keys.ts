import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { ageDecrypt, type AgeKeys, generateAgeKeys, recipientOf } from '../shared/node/age.ts';
import { type KeyPair, signText } from '../shared/node/keys.ts';
import { CommandError } from './command-error.ts';
import type { DataFolder } from './data-folder.ts';
import { replaceFile } from '../shared/node/replace-file.ts';
import type { DeviceKeys } from './handlers/configuration.ts';

const viewKeyBytes = 32;
const toldAs = '# public key: ';

/** The keys that stay on this device; those that do not exist yet are made. */
export async function openDeviceKeys(folder: DataFolder, parts: { keys: KeyPair }): Promise<DeviceKeys> {
  const identity = await ageIdentity(folder.ageIdentity);
  const viewKey = readViewKey(folder.viewKey);
  const keyed = (purpose: string, text: string): string =>
    createHmac('sha256', viewKey).update(`${purpose}\0${text}`).digest('hex');
  return {
    stateDigest: (text) => keyed('state', text),
    secretToken: (value) => keyed('secret', value).slice(0, 8),
    recipient: identity.recipient,
    decrypt: (ciphertext) => decrypted(folder.ageIdentity, identity, ciphertext),
    sign: (text) => signText(text, parts.keys.privateKey),
  };
}

async function ageIdentity(path: string): Promise<AgeKeys> {
  if (!existsSync(path)) {
    const keys = await generateAgeKeys();
    replaceFile(path, `${toldAs}${keys.recipient}\n${keys.identity}\n`);
    return keys;
  }
  const lines = readFileSync(path, 'utf8').split('\n');
  const identity = lines.find((line) => line.startsWith('AGE-SECRET-KEY-1'));
  const told = lines.find((line) => line.startsWith(toldAs))?.slice(toldAs.length);
  // To compute it loads the library, which an idle agent does not need.
  if (told !== undefined && identity !== undefined && /^[A-Z0-9-]{74}$/.test(identity)) {
    return { identity, recipient: told };
  }
  return { identity: identity ?? '', recipient: await computedRecipient(path, identity) };
}

async function computedRecipient(path: string, identity: string | undefined): Promise<string> {
  try {
    if (identity === undefined) throw new Error('there is no identity in it');
    return await recipientOf(identity);
  } catch (error) {
    // What the library says could repeat the key.
    const reason = identity === undefined && error instanceof Error ? error.message : 'it is not an identity';
    throw new CommandError(`${path} cannot be used as the identity of this device: ${reason}`);
  }
}

/** Whoever put another identity into the file left the comment of the one before. */
async function* decrypted(
  path: string,
  { identity, recipient }: AgeKeys,
  ciphertext: AsyncIterable<Uint8Array>,
) {
  if ((await computedRecipient(path, identity)) !== recipient) {
    throw new CommandError(
      `${path} names a public key that is not the one of its identity: correct that line`,
    );
  }
  yield* ageDecrypt(ciphertext, identity);
}

/** Without it every state and token of before would look changed, so a damaged one is not quietly replaced. */
function readViewKey(path: string): Buffer {
  if (!existsSync(path)) replaceFile(path, `${randomBytes(viewKeyBytes).toString('hex')}\n`);
  const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'hex');
  if (key.length === viewKeyBytes) return key;
  throw new CommandError(`${path} is not a key of ${viewKeyBytes} bytes in hex`);
}
