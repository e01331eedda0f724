import { expect, test } from 'vitest';
import { generateKeyPair, keyFingerprint, signText } from '../../shared/node/keys.ts';
import { sealArchive } from '../testing/sealed-archive.ts';
import { checkSeal } from './seal.ts';

test('a seal that is right tells the fingerprint of the key', async () => {
  const { archive, deviceKey } = await sealArchive([]);
  const fingerprint = keyFingerprint(deviceKey.publicKey);
  expect(checkSeal(archive, undefined)).toMatchObject({
    fingerprint,
    statement: { archive_sha256: archive.sha256 },
  });
  expect(checkSeal(archive, fingerprint.toUpperCase())).toMatchObject({ fingerprint });
});

test('refuses another key than expected, although its signature is right', async () => {
  const { archive } = await sealArchive([]);
  expect(() => checkSeal(archive, 'ab'.repeat(32))).toThrow(/expected abab/);
});

test('refuses a signature of another key, of another text, and one that is none', async () => {
  const { archive } = await sealArchive([]);
  const other = generateKeyPair();
  for (const changes of [
    { device_key: other.publicKey },
    { signature: signText('other', other.privateKey) },
    { signature: '' },
    { statement: archive.statement.replace('"format":1', '"format": 1') },
    { device_key: 'no key' },
  ]) {
    expect(() => checkSeal({ ...archive, ...changes }, undefined)).toThrow(/signature of archive/);
  }
});

test.each([
  ['device_uuid', 'other'],
  ['sha256', 'cd'.repeat(32)],
  ['size', 1],
  ['content', 'other'],
])('refuses it when the controller says another %s than was signed', async (key, value) => {
  const { archive } = await sealArchive([]);
  expect(() => checkSeal({ ...archive, [key]: value }, undefined)).toThrow(/the controller says/);
});
