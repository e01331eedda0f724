import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';

/** An Ed25519 key pair. Raw keys travel as base64url (RFC 8037 `x` and `d`). */
export interface KeyPair {
  publicKey: string;
  privateKey: KeyObject;
}

export function generateKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { publicKey: rawPublicKey(publicKey), privateKey };
}

/** The private key as PKCS #8 PEM, for a file of mode 0600. */
export const exportPrivateKey = (key: KeyObject): string =>
  key.export({ format: 'pem', type: 'pkcs8' }).toString();

export function importPrivateKey(pem: string): KeyPair {
  const privateKey = createPrivateKey(pem);
  return { publicKey: rawPublicKey(createPublicKey(privateKey)), privateKey };
}

export const importPublicKey = (raw: string): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw }, format: 'jwk' });

/** SHA-256 of the raw public key, hex. */
export const keyFingerprint = (raw: string): string =>
  createHash('sha256').update(Buffer.from(raw, 'base64url')).digest('hex');

export const signText = (text: string, key: KeyObject): string =>
  sign(null, Buffer.from(text), key).toString('base64url');

export const verifyText = (text: string, signature: string, key: KeyObject): boolean =>
  verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'));

/** SHA-256 in hex: how tokens are stored (they carry at least 128 bits of randomness, so no salt and no slow hash is needed). */
export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** Compares two hex digests in constant time. */
export const sameDigest = (left: string, right: string): boolean =>
  left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));

function rawPublicKey(key: KeyObject): string {
  const { x } = key.export({ format: 'jwk' });
  if (x === undefined) throw new Error('not an Ed25519 key');
  return x;
}
