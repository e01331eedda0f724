import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { importPublicKey } from './keys.ts';

/** A public key as minisign writes it. */
export interface MinisignKey {
  /** Which key it is: 8 bytes, hex. */
  id: string;
  key: KeyObject;
}

/** A signature file of minisign. Nothing of it is proven until `verifyMinisign` returned. */
export interface MinisignSignature {
  keyId: string;
  signature: Buffer;
  trustedComment: string;
  /** Over signature and trusted comment. */
  globalSignature: Buffer;
}

/** A file or text that is not what minisign writes, or is not signed by whom it should be. The message says what is wrong. */
export class MinisignError extends Error {}

/** Longer than any that is made here. */
export const maxSignatureText = 4096;

/** Of what is signed: minisign signs the BLAKE2b-512 of a file, so that nobody has to hold all of it. */
export const minisignHash = () => createHash('blake2b512');

/** Reads a key: the file that minisign writes, or the one line of it that matters. */
export function parseMinisignKey(text: string): MinisignKey {
  const line = text
    .split('\n')
    .map((one) => one.trim())
    .find((one) => one !== '' && !one.startsWith('untrusted comment:'));
  const bytes = Buffer.from(line ?? '', 'base64');
  if (bytes.length !== 42 || bytes.toString('latin1', 0, 2) !== 'Ed') {
    throw new MinisignError('expected a public key of minisign: 56 letters that begin with RW');
  }
  return {
    id: bytes.toString('hex', 2, 10),
    key: importPublicKey(bytes.subarray(10).toString('base64url')),
  };
}

export function parseMinisignSignature(text: string): MinisignSignature {
  const [untrusted = '', main = '', trusted = '', global = ''] = text.split('\n').map((one) => one.trim());
  const bytes = Buffer.from(main, 'base64');
  const globalSignature = Buffer.from(global, 'base64');
  const prefix = 'trusted comment: ';
  const isWhole =
    text.length <= maxSignatureText &&
    untrusted.startsWith('untrusted comment:') &&
    trusted.startsWith(prefix) &&
    bytes.length === 74 &&
    globalSignature.length === 64;
  if (!isWhole) throw new MinisignError('expected a signature file of minisign: four lines');
  if (bytes.toString('latin1', 0, 2) !== 'ED') {
    throw new MinisignError('expected a signature over a BLAKE2b-512 digest, as `minisign -S` makes it');
  }
  return {
    keyId: bytes.toString('hex', 2, 10),
    signature: bytes.subarray(10),
    trustedComment: trusted.slice(prefix.length),
    globalSignature,
  };
}

/** The key among those trusted that made the trusted comment; throws when none did. The file itself is still to be verified. */
export function verifyComment(signed: MinisignSignature, trusted: MinisignKey[]): MinisignKey {
  const key = trusted.find(({ id }) => id === signed.keyId);
  if (key === undefined) {
    const known = trusted.map(({ id }) => id).join(', ') || 'none';
    throw new MinisignError(`the signature is of key ${signed.keyId}, and trusted are: ${known}`);
  }
  const covered = Buffer.concat([signed.signature, Buffer.from(signed.trustedComment)]);
  if (!verify(null, covered, key.key, signed.globalSignature)) {
    throw new MinisignError('the trusted comment is not the one that was signed');
  }
  return key;
}

/** Throws unless a trusted key signed both the comment and what has this digest. */
export function verifyMinisign(signed: MinisignSignature, trusted: MinisignKey[], digest: Buffer): void {
  const key = verifyComment(signed, trusted);
  if (!verify(null, digest, key.key, signed.signature)) {
    throw new MinisignError('the file is not the one that was signed');
  }
}

/** Signs as minisign does; `digest` is of `minisignHash`. */
export function signMinisign(
  digest: Buffer,
  trustedComment: string,
  privateKey: KeyObject,
  id = minisignKeyId(privateKey),
): string {
  const signature = sign(null, digest, privateKey);
  const globalSignature = sign(null, Buffer.concat([signature, Buffer.from(trustedComment)]), privateKey);
  const main = Buffer.concat([Buffer.from('ED'), id, signature]);
  return [
    'untrusted comment: signature of a Muster release',
    main.toString('base64'),
    `trusted comment: ${trustedComment}`,
    globalSignature.toString('base64'),
    '',
  ].join('\n');
}

/** The file that whoever verifies needs. */
export function minisignPublicKey(privateKey: KeyObject, id = minisignKeyId(privateKey)): string {
  const bytes = Buffer.concat([Buffer.from('Ed'), id, rawPublicKey(privateKey)]);
  return `untrusted comment: key of Muster releases\n${bytes.toString('base64')}\n`;
}

/** minisign takes 8 random bytes; of a key that does not carry any, these. */
export const minisignKeyId = (privateKey: KeyObject): Buffer =>
  createHash('sha256').update(rawPublicKey(privateKey)).digest().subarray(0, 8);

/** The 32 bytes. */
export function rawPublicKey(privateKey: KeyObject): Buffer {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (x === undefined) throw new MinisignError('expected an Ed25519 key');
  return Buffer.from(x, 'base64url');
}
