import { expect, test } from 'vitest';
import { generateKeyPair } from './keys.ts';
import {
  minisignHash,
  minisignPublicKey,
  parseMinisignKey,
  parseMinisignSignature,
  signMinisign,
  verifyMinisign,
} from './minisign.ts';

const digestOf = (text: string): Buffer => minisignHash().update(text).digest();

/** Made by minisign itself, over `test`. */
const key = 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3';
const signature = `untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1556193335\tfile:test
y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==
`;

test('a signature that minisign made is verified, and nothing else by it', () => {
  const signed = parseMinisignSignature(signature);
  expect(signed.trustedComment).toBe('timestamp:1556193335\tfile:test');
  verifyMinisign(signed, [parseMinisignKey(key)], digestOf('test'));
  expect(() => verifyMinisign(signed, [parseMinisignKey(key)], digestOf('Test'))).toThrow('not the one');
});

test('what is signed here is verified; another file, comment or key is not', () => {
  const { privateKey } = generateKeyPair();
  const trusted = [parseMinisignKey(minisignPublicKey(privateKey))];
  const text = signMinisign(digestOf('release'), '{"version":"1.2.3"}', privateKey);
  verifyMinisign(parseMinisignSignature(text), trusted, digestOf('release'));

  const other = parseMinisignSignature(text.replace('1.2.3', '9.2.3'));
  expect(() => verifyMinisign(other, trusted, digestOf('release'))).toThrow('trusted comment');
  expect(() => verifyMinisign(parseMinisignSignature(text), trusted, digestOf('other'))).toThrow('the file');
  const stranger = parseMinisignKey(minisignPublicKey(generateKeyPair().privateKey));
  expect(() => verifyMinisign(parseMinisignSignature(text), [stranger], digestOf('release'))).toThrow(
    'trusted are',
  );
  expect(() => verifyMinisign(parseMinisignSignature(text), [], digestOf('release'))).toThrow('none');
});

test('what minisign did not write is refused with what was expected', () => {
  expect(() => parseMinisignKey('RWQ')).toThrow('expected a public key');
  expect(() => parseMinisignSignature('not a signature')).toThrow('expected a signature file');
  expect(() => parseMinisignSignature(signature.replace('\nRUQ', '\nRWQ'))).toThrow('BLAKE2b-512');
});
