import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Decrypter, Encrypter } from 'age-encryption';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lacks, notTested } from '../../test/harness/not-tested.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { ageDecrypt, ageEncrypt, generateAgeKeys } from './age.ts';

const chunkBytes = 65_536;
const edges = [0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes, 200_000];

async function* pieces(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const plain = (size: number) => Buffer.alloc(size, 'Muster, ');
const encrypt = (bytes: Uint8Array, recipients: string[]) => buffer(ageEncrypt(pieces(bytes), recipients));
const decrypt = (bytes: Uint8Array, identity: string) => buffer(ageDecrypt(pieces(bytes), identity));

test.each(edges)('%i bytes come back for each recipient, as the library reads them too', async (size) => {
  const [one, other] = [await generateAgeKeys(), await generateAgeKeys()];
  const sealed = await encrypt(plain(size), [one.recipient, other.recipient]);
  for (const { identity } of [one, other]) {
    expect(plain(size).equals(await decrypt(sealed, identity))).toBe(true);
    const library = new Decrypter();
    library.addIdentity(identity);
    expect(plain(size).equals(await library.decrypt(sealed))).toBe(true);
  }
});

test.each(edges)('%i bytes that the library sealed are read', async (size) => {
  const { identity, recipient } = await generateAgeKeys();
  const library = new Encrypter();
  library.addRecipient(recipient);
  expect(plain(size).equals(await decrypt(await library.encrypt(plain(size)), identity))).toBe(true);
});

test('however a stream is cut into pieces, the same comes back', async () => {
  const { identity, recipient } = await generateAgeKeys();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...edges),
      fc.integer({ min: 1, max: 150_000 }),
      fc.integer({ min: 50, max: 150_000 }),
      async (size, sealedBy, openedBy) => {
        const sealed = await buffer(ageEncrypt(pieces(plain(size), sealedBy || 1), [recipient]));
        const opened = await buffer(ageDecrypt(pieces(sealed, openedBy), identity));
        expect(opened.equals(plain(size))).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

test('a changed byte, a missing end, a swapped chunk and a foreign identity all fail', async () => {
  const { identity, recipient } = await generateAgeKeys();
  const sealed = await encrypt(plain(3 * chunkBytes), [recipient]);
  const headerBytes = sealed.indexOf('\n', sealed.indexOf('\n--- ') + 1) + 1;

  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: sealed.length - 1 }), async (at) => {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      await expect(decrypt(changed, identity)).rejects.toThrow();
    }),
    { numRuns: 60 },
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: sealed.length - 1 }), async (length) => {
      await expect(decrypt(sealed.subarray(0, length), identity)).rejects.toThrow();
    }),
    { numRuns: 60 },
  );
  await expect(decrypt(sealed.subarray(0, headerBytes + 16 + chunkBytes + 16), identity)).rejects.toThrow();
  const first = headerBytes + 16;
  const swapped = Buffer.concat([
    sealed.subarray(0, first),
    sealed.subarray(first + 65_552, first + 2 * 65_552),
    sealed.subarray(first, first + 65_552),
    sealed.subarray(first + 2 * 65_552),
  ]);
  await expect(decrypt(swapped, identity)).rejects.toThrow('changed or cut off');
  await expect(decrypt(Buffer.concat([sealed, Buffer.from([0])]), identity)).rejects.toThrow();
  await expect(decrypt(sealed, (await generateAgeKeys()).identity)).rejects.toThrow('no identity matched');
});

test('what is no age file is refused without being read to its end', async () => {
  const { identity } = await generateAgeKeys();
  let read = 0;
  async function* endless() {
    for (;;) {
      read += 1024;
      yield Buffer.alloc(1024, 'x');
    }
  }
  await expect(buffer(ageDecrypt(endless(), identity))).rejects.toThrow('there is no header');
  expect(read).toBeLessThan(200_000);
});

test('without a recipient nothing is encrypted', async () => {
  await expect(encrypt(plain(1), [])).rejects.toThrow('at least one recipient');
});

const noAge = lacks('age');
notTested('files exchanged with the age program', noAge);
test.skipIf(noAge)('the age program reads what is written here, and the other way round', async () => {
  using folder = temporaryFolder('age');
  const { identity, recipient } = await generateAgeKeys();
  const key = join(folder.path, 'key');
  writeFileSync(key, `${identity}\n`);
  const bytes = plain(200_000);

  const opened = execFileSync('age', ['-d', '-i', key], { input: await encrypt(bytes, [recipient]) });
  expect(opened.equals(bytes)).toBe(true);
  const sealed = execFileSync('age', ['-r', recipient], { input: bytes });
  expect(bytes.equals(await decrypt(sealed, identity))).toBe(true);
});
