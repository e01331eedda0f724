import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';

// The payload of an age file (age-encryption.org/v1): 64 KiB chunks, each sealed with ChaCha20-Poly1305 under a nonce that counts them
// and marks the last one, so that chunks can be neither changed, swapped nor cut off.

export const payloadNonceBytes = 16;
export const tagBytes = 16;
const chunkBytes = 64 * 1024;
const sealedBytes = chunkBytes + tagBytes;
const cipher = 'chacha20-poly1305';

export async function* sealPayload(
  plain: AsyncIterable<Uint8Array>,
  key: Uint8Array,
): AsyncGenerator<Buffer> {
  const chunks = new Chunks(chunkBytes);
  const nonce = new Nonce();
  const secret = createSecretKey(key);
  for await (const piece of plain) {
    // A full chunk waits until more comes: only then it is not the last.
    for (const chunk of chunks.add(piece)) yield* seal(chunk, secret, nonce.next());
  }
  yield* seal(chunks.last(), secret, nonce.last());
}

/** Throws when the payload was changed or cut off. What came before the error must not be used. */
export async function* openPayload(
  sealed: AsyncIterable<Uint8Array>,
  key: Uint8Array,
): AsyncGenerator<Buffer> {
  const chunks = new Chunks(sealedBytes);
  const nonce = new Nonce();
  const secret = createSecretKey(key);
  for await (const piece of sealed) {
    for (const chunk of chunks.add(piece)) yield open(chunk, secret, nonce.next());
  }
  const last = open(chunks.last(), secret, nonce.last());
  if (last.length === 0 && nonce.count > 1) throw new Error('age: the last chunk is empty');
  yield last;
}

function seal(chunk: Uint8Array, key: KeyObject, nonce: Uint8Array): [Buffer, Buffer] {
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  const body = sealing.update(chunk);
  sealing.final();
  return [body, sealing.getAuthTag()];
}

function open(sealed: Uint8Array, key: KeyObject, nonce: Uint8Array): Buffer {
  if (sealed.length < tagBytes) throw new Error('age: cut off within the payload');
  const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  opening.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const plain = opening.update(sealed.subarray(0, sealed.length - tagBytes));
  try {
    opening.final();
  } catch (cause) {
    throw new Error('age: the payload was changed or cut off', { cause });
  }
  return plain;
}

/** 11 bytes that count, and one that says whether this is the last chunk. */
class Nonce {
  count = 0;

  next(): Buffer {
    const bytes = Buffer.alloc(12);
    bytes.writeUIntBE(this.count, 5, 6);
    this.count += 1;
    return bytes;
  }

  last(): Buffer {
    const bytes = this.next();
    bytes[11] = 1;
    return bytes;
  }
}

/** Cuts a stream into pieces of one size. What it hands out is valid until it is asked again. */
class Chunks {
  readonly #buffer: Buffer;
  #used = 0;

  constructor(size: number) {
    this.#buffer = Buffer.alloc(size);
  }

  /** The full chunks that are surely followed by more. */
  *add(piece: Uint8Array): Generator<Uint8Array> {
    let rest = piece;
    while (rest.length > 0) {
      if (this.#used === this.#buffer.length) {
        yield this.#buffer;
        this.#used = 0;
      }
      // A whole chunk that more follows is handed on without a copy.
      if (this.#used === 0 && rest.length > this.#buffer.length) {
        yield rest.subarray(0, this.#buffer.length);
        rest = rest.subarray(this.#buffer.length);
        continue;
      }
      const taken = rest.subarray(0, this.#buffer.length - this.#used);
      this.#buffer.set(taken, this.#used);
      this.#used += taken.length;
      rest = rest.subarray(taken.length);
    }
  }

  /** What is left: never more than one chunk. */
  last(): Uint8Array {
    return this.#buffer.subarray(0, this.#used);
  }
}
