import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  minisignHash,
  minisignPublicKey,
  parseMinisignKey,
  parseMinisignSignature,
  signMinisign,
  verifyMinisign,
} from '../../shared/node/minisign.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { blake2b256, formatSecretKey, newSecretKey, parseSecretKey } from './minisign-secret.ts';

const cheap = { operations: 32_768, bytes: 16 * 1024 * 1024 };
const nobodyAsked = () => Promise.reject(new Error('asked'));
const text = 'a release';
const digest = minisignHash().update(text).digest();

test('BLAKE2b-256 as RFC 7693 and others have it', () => {
  expect(blake2b256(Buffer.from('abc')).toString('hex')).toBe(
    'bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319',
  );
  expect(blake2b256(Buffer.alloc(0)).toString('hex')).toBe(
    '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8',
  );
});

test('a key comes back with its passphrase, and with no other', async () => {
  const key = newSecretKey();
  const file = await formatSecretKey(key, 'correct horse', cheap);
  const read = await parseSecretKey(file, async () => 'correct horse');
  expect(minisignPublicKey(read.privateKey, read.id)).toBe(minisignPublicKey(key.privateKey, key.id));
  await expect(parseSecretKey(file, async () => 'correct house')).rejects.toThrow('passphrase is another');
  expect(file).not.toBe(await formatSecretKey(key, 'correct horse', cheap));
});

test('without a passphrase nobody is asked for one, and damage is seen', async () => {
  const key = newSecretKey();
  const file = await formatSecretKey(key, undefined);
  expect((await parseSecretKey(file, nobodyAsked)).id).toEqual(key.id);
  const [comment, line = ''] = file.split('\n');
  const bytes = Buffer.from(line, 'base64');
  bytes.writeUInt8(bytes.readUInt8(70) ^ 1, 70);
  const damaged = `${comment}\n${bytes.toString('base64')}\n`;
  await expect(parseSecretKey(damaged, nobodyAsked)).rejects.toThrow('damaged');
});

test.each(['', 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3', 'untrusted comment: x\nRWRT\n'])(
  'what is no secret key is refused: %j',
  async (file) => {
    await expect(parseSecretKey(file, nobodyAsked)).rejects.toThrow('expected a secret key');
  },
);

test('a file that wants more memory than minisign takes is refused before it gets any', async () => {
  const [comment, line = ''] = (await formatSecretKey(newSecretKey(), 'x', cheap)).split('\n');
  const bytes = Buffer.from(line, 'base64');
  bytes.writeBigUInt64LE(2n ** 40n, 46);
  await expect(parseSecretKey(`${comment}\n${bytes.toString('base64')}\n`, async () => 'x')).rejects.toThrow(
    'costs more memory',
  );
});

/** minisign, with what it reads from the terminal. */
const minisign = (folder: string, args: string[], input = ''): string =>
  execFileSync('minisign', args, { cwd: folder, input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

test.each([
  ['with a passphrase', 'correct horse'],
  ['without one', undefined],
])('minisign signs with a key that was made here, %s', { timeout: 60_000 }, async (_how, passphrase) => {
  using folder = temporaryFolder('minisign');
  const key = newSecretKey();
  // What minisign itself would take, but in a sixteenth of the time.
  const cost = { operations: 2 ** 21, bytes: 2 ** 26 };
  writeFileSync(join(folder.path, 'key'), await formatSecretKey(key, passphrase, cost));
  chmodSync(join(folder.path, 'key'), 0o600);
  writeFileSync(join(folder.path, 'key.pub'), minisignPublicKey(key.privateKey, key.id));
  writeFileSync(join(folder.path, 'file'), text);
  minisign(folder.path, ['-S', '-s', 'key', '-m', 'file', '-t', 'about it'], `${passphrase ?? ''}\n`);

  const signed = parseMinisignSignature(readFileSync(join(folder.path, 'file.minisig'), 'utf8'));
  verifyMinisign(signed, [parseMinisignKey(minisignPublicKey(key.privateKey, key.id))], digest);
  expect(signed.trustedComment).toBe('about it');
  expect(minisign(folder.path, ['-V', '-p', 'key.pub', '-m', 'file'])).toContain('about it');
});

/** A key that minisign made itself, and its public key. To read it takes a GiB of memory and some seconds. */
const theirs = `untrusted comment: minisign encrypted secret key
RWRTY0IyQ9+tGrh6Uc+C3MRcT4X03B9535tTp2WWcwr7UEV5+qoAAAACAAAAAAAAAEAAAAAAm8gUASS3/SaSDtazRNsyaVFeZpYcS+a8zbZLf9dwy5Ysd/65xGXqfTjLAIOIqHjNDRJDNUpYBE3OrQDnhWZTENKeqX8017KomNVVediXnM6s/gq4h1Kwn0NYZWlXmXZl4HWpP504css=
`;
const theirPublicKey = 'RWTRAk4JZMc7RV8FIoBaOn9bot3cQR4/pyeCp8YLsj16sqvvJFZDd6yw';

test('a key of minisign signs here', { timeout: 120_000 }, async () => {
  using folder = temporaryFolder('minisign');
  const { privateKey, id } = await parseSecretKey(theirs, async () => 'correct horse');
  writeFileSync(join(folder.path, 'file'), text);
  writeFileSync(join(folder.path, 'file.minisig'), signMinisign(digest, 'about it', privateKey, id));
  expect(minisign(folder.path, ['-V', '-P', theirPublicKey, '-m', 'file'])).toContain('about it');
  writeFileSync(join(folder.path, 'file'), 'another file');
  expect(() => minisign(folder.path, ['-V', '-P', theirPublicKey, '-m', 'file'])).toThrow();
});

test('a key that minisign made without a passphrase is read', async () => {
  using folder = temporaryFolder('minisign');
  minisign(folder.path, ['-G', '-W', '-p', 'key.pub', '-s', 'key']);
  const { privateKey, id } = await parseSecretKey(
    readFileSync(join(folder.path, 'key'), 'utf8'),
    nobodyAsked,
  );
  const [, line = ''] = readFileSync(join(folder.path, 'key.pub'), 'utf8').split('\n');
  expect(minisignPublicKey(privateKey, id)).toContain(line);
});
