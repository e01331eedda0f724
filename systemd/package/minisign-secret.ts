import { createPrivateKey, randomBytes, type KeyObject, scrypt } from 'node:crypto';
import { blake2b } from '@noble/hashes/blake2.js';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { minisignKeyId, MinisignError, rawPublicKey } from '../../shared/node/minisign.ts';

/** Who signs releases. */
export interface SecretKey {
  privateKey: KeyObject;
  /** 8 bytes, by which whoever verifies finds the public key. */
  id: Buffer;
}

/** What scrypt may cost, as minisign and libsodium count it. */
export interface ScryptCost {
  operations: number;
  bytes: number;
}

/** What minisign takes for a secret key: a few seconds, and 1 GiB. More is not accepted. */
const sensitive: ScryptCost = { operations: 2 ** 25, bytes: 2 ** 30 };

/**
 * The layout of minisign's file: `Ed`, how the rest is encrypted (`Sc`: scrypt, or zeros), `B2`, salt (32), operations (8), memory (8), and
 * then, encrypted, id (8), seed (32), public key (32), and the BLAKE2b-256 (32) of `Ed`, id, seed and public key.
 */
const bytesOfFile = 158;
const clear = 54;

/** Reads a secret key of minisign, or a PEM file. `passphrase` is asked when there is one. */
export async function parseSecretKey(text: string, passphrase: () => Promise<string>): Promise<SecretKey> {
  if (text.startsWith('-----BEGIN ')) {
    const privateKey = createPrivateKey(text);
    return { privateKey, id: minisignKeyId(privateKey) };
  }
  const file = Buffer.from(text.split('\n')[1]?.trim() ?? '', 'base64');
  const [algorithm, encryption] = [file.toString('latin1', 0, 2), file.toString('latin1', 2, 4)];
  if (file.length !== bytesOfFile || algorithm !== 'Ed' || !['Sc', '\0\0'].includes(encryption)) {
    throw new MinisignError('expected a secret key of minisign: a comment, and a line that begins with RW');
  }
  const secret = file.subarray(clear);
  if (encryption === 'Sc') {
    const cost = { operations: numberAt(file, 38), bytes: numberAt(file, 46) };
    xor(secret, await stream(await passphrase(), file.subarray(6, 38), cost));
  }
  const privateKey = importSeed(secret.subarray(8, 40));
  // minisign writes no checksum where nothing is encrypted; the public key says as much.
  const isWhole =
    rawPublicKey(privateKey).equals(secret.subarray(40, 72)) &&
    (encryption !== 'Sc' || secret.subarray(72).equals(checksum(secret)));
  if (isWhole) return { privateKey, id: Buffer.from(secret.subarray(0, 8)) };
  throw new MinisignError(
    encryption === 'Sc' ? 'the passphrase is another one' : 'the file of the key is damaged',
  );
}

/** Makes a key with an id of its own. */
export const newSecretKey = (): SecretKey => ({
  privateKey: generateKeyPair().privateKey,
  id: randomBytes(8),
});

/** Writes it as minisign does; without a passphrase whoever has the file has the key. */
export async function formatSecretKey(
  { privateKey, id }: SecretKey,
  passphrase: string | undefined,
  cost = sensitive,
): Promise<string> {
  const secret = Buffer.concat([id, seedOf(privateKey), rawPublicKey(privateKey), Buffer.alloc(32)]);
  secret.set(checksum(secret), 72);
  const head = Buffer.alloc(clear);
  head.write('Ed\0\0B2', 'latin1');
  if (passphrase !== undefined) {
    head.write('Sc', 2, 'latin1');
    head.set(randomBytes(32), 6);
    head.writeBigUInt64LE(BigInt(cost.operations), 38);
    head.writeBigUInt64LE(BigInt(cost.bytes), 46);
    xor(secret, await stream(passphrase, head.subarray(6, 38), cost));
  }
  const kind = passphrase === undefined ? 'unencrypted' : 'encrypted';
  return `untrusted comment: minisign ${kind} secret key of Muster releases\n${Buffer.concat([head, secret]).toString('base64')}\n`;
}

const numberAt = (file: Buffer, at: number): number => Number(file.readBigUInt64LE(at));

const checksum = (secret: Buffer): Buffer =>
  blake2b256(Buffer.concat([Buffer.from('Ed'), secret.subarray(0, 72)]));

function xor(target: Buffer, by: Buffer): void {
  for (const [at, byte] of by.entries()) target.writeUInt8(target.readUInt8(at) ^ byte, at);
}

function stream(passphrase: string, salt: Buffer, cost: ScryptCost): Promise<Buffer> {
  if (cost.bytes > sensitive.bytes || cost.operations > sensitive.operations) {
    throw new MinisignError('its passphrase costs more memory or time than minisign itself asks for');
  }
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const options = { ...scryptParameters(cost), maxmem: 2 * sensitive.bytes };
  scrypt(passphrase, salt, bytesOfFile - clear, options, (error, made) =>
    error ? reject(error) : resolve(made),
  );
  return promise;
}

/** How libsodium finds N, r and p (crypto_pwhash_scryptsalsa208sha256). */
function scryptParameters({ operations, bytes }: ScryptCost): { N: number; r: number; p: number } {
  const r = 8;
  const work = Math.max(operations, 32_768);
  const isSmall = work < bytes / 32;
  const most = isSmall ? work / (4 * r) : bytes / (128 * r);
  const N = 2 ** Math.max(1, Math.floor(Math.log2(most)));
  const p = isSmall ? 1 : Math.max(1, Math.floor(Math.floor(work / 4 / N) / r));
  return { N, r, p };
}

/** PKCS #8 of an Ed25519 key, but for the 32 bytes that are it. */
const keyPrefix = Buffer.from('302e020100300506032b657004220420', 'hex');

const importSeed = (seed: Buffer): KeyObject =>
  createPrivateKey({ key: Buffer.concat([keyPrefix, seed]), format: 'der', type: 'pkcs8' });

function seedOf(key: KeyObject): Buffer {
  const { d } = key.export({ format: 'jwk' });
  if (d === undefined) throw new MinisignError('expected a private Ed25519 key');
  return Buffer.from(d, 'base64url');
}

/** OpenSSL has BLAKE2b with 64 bytes only, and a shorter digest is another function. */
export const blake2b256 = (input: Uint8Array): Buffer => Buffer.from(blake2b(input, { dkLen: 32 }));
