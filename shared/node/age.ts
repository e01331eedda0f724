import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';

/** An age identity (secret) and its recipient (public). */
export interface AgeKeys {
  identity: string;
  recipient: string;
}

export async function generateAgeKeys(): Promise<AgeKeys> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

export const recipientOf = (identity: string): Promise<string> => identityToRecipient(identity);

/** Encrypts a stream to all recipients; each of them alone can decrypt. */
export async function* ageEncrypt(
  plain: AsyncIterable<Uint8Array>,
  recipients: readonly string[],
): AsyncGenerator<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  yield* readAll(await encrypter.encrypt(streamOf(plain)));
}

/** Decrypts a stream; throws when it is not for this identity, cut off or changed. What came before the error must not be used. */
export async function* ageDecrypt(
  ciphertext: AsyncIterable<Uint8Array>,
  identity: string,
): AsyncGenerator<Uint8Array> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  yield* readAll(await decrypter.decrypt(streamOf(ciphertext)));
}

const streamOf = (source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> =>
  ReadableStream.from(source) as ReadableStream<Uint8Array>;

async function* readAll(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield chunk;
}
