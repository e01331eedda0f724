import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemRandom } from '../../shared/node/system-clock.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { SecretBox } from './secret-box.ts';
import { keyInFolder, keyInMemory } from './secret-key.ts';

const place = { organizationId: 'home', scope: 'label', key: 'site=a', name: 'psk' };
const boxWith = (key = keyInMemory(systemRandom)) => new SecretBox(key, systemRandom);

test('a value opens at its own place, and nowhere else', () => {
  const box = boxWith();
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (value) => {
      const sealed = box.seal(value, place);
      expect(box.unseal(sealed, place)).toBe(value);
      for (const over of [{ organizationId: 'away' }, { scope: 'device' }, { key: '' }, { name: 'other' }])
        expect(() => box.unseal(sealed, { ...place, ...over })).toThrow(/Secret variable/);
    }),
  );
});

test('a changed row does not open, and the error tells nothing of it', () => {
  const box = boxWith();
  const { sealed, keyId } = box.seal('canary', place);
  const bytes = Buffer.from(sealed, 'base64');
  for (const at of [0, 14, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => box.unseal({ sealed: changed.toString('base64'), keyId }, place)).toThrow(/^(?!.*canary)/);
  }
});

test('the same value is sealed differently each time, with the same tag; another value has another tag', () => {
  const box = boxWith();
  const [first, second, other] = [box.seal('a', place), box.seal('a', place), box.seal('b', place)];
  expect(first?.sealed).not.toBe(second?.sealed);
  expect(first?.tag).toBe(second?.tag);
  expect(other?.tag).not.toBe(first?.tag);
  expect(box.seal('a', { ...place, scope: 'device', key: 'x' }).tag).toBe(first?.tag);
  expect(box.seal('a', { ...place, organizationId: 'away' }).tag).not.toBe(first?.tag);
});

test('a value that was sealed with another key says which', () => {
  const sealed = boxWith().seal('canary', place);
  expect(() => boxWith().unseal(sealed, place)).toThrow(sealed.keyId);
});

test('the key is made at its first use, readable by its owner only, and stays', () => {
  using folder = temporaryFolder('secret-key');
  const path = join(folder.path, 'secrets.key');
  const first = boxWith(keyInFolder(folder.path, systemRandom));
  expect(() => statSync(path)).toThrow();
  const sealed = first.seal('value', place);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const text = readFileSync(path, 'utf8');
  expect(boxWith(keyInFolder(folder.path, systemRandom)).unseal(sealed, place)).toBe('value');
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('a damaged key is never replaced', () => {
  using folder = temporaryFolder('secret-key');
  const path = join(folder.path, 'secrets.key');
  writeFileSync(path, 'half');
  expect(() => boxWith(keyInFolder(folder.path, systemRandom)).seal('value', place)).toThrow(/damaged/);
  expect(readFileSync(path, 'utf8')).toBe('half');
});
