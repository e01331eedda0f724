import { hkdfSync, randomBytes } from 'node:crypto';
import type { Recipient } from 'age-encryption';
import { openPayload, payloadNonceBytes, sealPayload, tagBytes } from './age-payload.ts';

/** An age identity (secret) and its recipient (public). */
export interface AgeKeys {
  identity: string;
  recipient: string;
}

/** 15 MiB, which only who encrypts or decrypts needs. */
const library = () => import('age-encryption');

export async function generateAgeKeys(): Promise<AgeKeys> {
  const { generateX25519Identity, identityToRecipient } = await library();
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

export const recipientOf = async (identity: string): Promise<string> =>
  (await library()).identityToRecipient(identity);

// The library makes and reads headers, keys and recipients. Its payload cipher is JavaScript, a seventh of the speed of OpenSSL's, so the
// payload is sealed and opened here.

/** A header names every recipient in less than 200 bytes; a longer one is not ours. */
const maxHeaderBytes = 64 * 1024;

/** What an age file begins with, and the key of what follows it. */
export interface AgeBeginning {
  header: Uint8Array;
  key: Uint8Array;
}

/** The beginning of a file for these recipients; each of them alone can decrypt. */
export async function beginAge(recipients: readonly string[]): Promise<AgeBeginning> {
  if (recipients.length === 0) throw new Error('age: expected at least one recipient');
  const { header, fileKey } = await makeHeader(recipients);
  const nonce = randomBytes(payloadNonceBytes);
  return { header: Buffer.concat([header, nonce]), key: payloadKey(fileKey, nonce) };
}

/** Encrypts a stream to all recipients; each of them alone can decrypt. */
export async function* ageEncrypt(
  plain: AsyncIterable<Uint8Array>,
  recipients: readonly string[],
): AsyncGenerator<Uint8Array> {
  const { header, key } = await beginAge(recipients);
  yield header;
  yield* sealPayload(plain, key);
}

/** Reads the beginning of a file: its key, and the stream that `openPayload` decrypts with it. Closing that stream closes the source. */
export async function openAge(
  ciphertext: AsyncIterable<Uint8Array>,
  identity: string,
): Promise<{ key: Uint8Array; payload: AsyncGenerator<Uint8Array> }> {
  const source = ciphertext[Symbol.asyncIterator]();
  try {
    const { header, rest } = await splitHeader(source);
    const { Decrypter } = await library();
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    const fileKey = await decrypter.decryptHeader(header);
    let begun: Uint8Array = rest;
    while (begun.length < payloadNonceBytes) {
      const { value, done } = await source.next();
      if (done) throw new Error('age: cut off before the payload');
      begun = Buffer.concat([begun, value]);
    }
    const key = payloadKey(fileKey, begun.subarray(0, payloadNonceBytes));
    return { key, payload: goOn(begun.subarray(payloadNonceBytes), source) };
  } catch (error) {
    await source.return?.();
    throw error;
  }
}

/** Decrypts a stream; throws when it is not for this identity, cut off or changed. What came before the error must not be used. */
export async function* ageDecrypt(
  ciphertext: AsyncIterable<Uint8Array>,
  identity: string,
): AsyncGenerator<Uint8Array> {
  const { key, payload } = await openAge(ciphertext, identity);
  yield* openPayload(payload, key);
}

async function* goOn(
  first: Uint8Array,
  source: AsyncIterator<Uint8Array, unknown>,
): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    for (;;) {
      const { value, done } = await source.next();
      if (done) return;
      yield value;
    }
  } finally {
    await source.return?.();
  }
}

/** The header that the library makes for an empty file, and the file key in it, told by a recipient that adds no line. */
async function makeHeader(recipients: readonly string[]): Promise<{ header: Buffer; fileKey: Uint8Array }> {
  let fileKey: Uint8Array | undefined;
  const listener: Recipient = {
    wrapFileKey(key) {
      fileKey = Uint8Array.from(key);
      return [];
    },
  };
  const { Encrypter } = await library();
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  encrypter.addRecipient(listener);
  const empty = await encrypter.encrypt(new Uint8Array());
  if (!fileKey) throw new Error('age: the library did not tell the file key');
  return { header: Buffer.from(empty.subarray(0, empty.length - payloadNonceBytes - tagBytes)), fileKey };
}

/** Reads on until the header's last line, the one with the MAC, is complete. */
async function splitHeader(
  source: AsyncIterator<Uint8Array, unknown>,
): Promise<{ header: Uint8Array; rest: Buffer }> {
  let seen = Buffer.alloc(0);
  for (;;) {
    const last = seen.indexOf('\n--- ');
    const end = last < 0 ? -1 : seen.indexOf('\n', last + 1);
    if (end >= 0) return { header: Uint8Array.from(seen.subarray(0, end + 1)), rest: seen.subarray(end + 1) };
    if (seen.length > maxHeaderBytes) throw new Error('age: there is no header');
    const { value, done } = await source.next();
    if (done) throw new Error('age: cut off within the header');
    seen = Buffer.concat([seen, value]);
  }
}

const payloadKey = (fileKey: Uint8Array, nonce: Uint8Array): Buffer =>
  Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
