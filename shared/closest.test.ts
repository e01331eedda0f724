import fc from 'fast-check';
import { expect, test } from 'vitest';
import { closest } from './closest.ts';

test.each([
  ['device.approved', 'device.approve'],
  ['sesion.login', 'session.login'],
  ['Device.Approve', 'device.approve'],
  ['devcie.approve', 'device.approve'],
  ['something', undefined],
  ['', undefined],
])('%s means %s', (word, name) => {
  expect(closest(word, ['session.login', 'device.approve', 'device.remove'])).toBe(name);
});

test('a name means itself, and one wrong letter still does', () => {
  const name = fc.string({ unit: fc.constantFrom(...'abcdef'), minLength: 3, maxLength: 20 });
  fc.assert(
    fc.property(name, fc.nat(), (word, at) => {
      expect(closest(word, ['0123456789', word])).toBe(word);
      const index = at % word.length;
      const wrong = `${word.slice(0, index)}-${word.slice(index + 1)}`;
      expect(closest(wrong, ['0123456789', word])).toBe(word);
      expect(closest(word.slice(1), ['0123456789', word])).toBe(word);
    }),
  );
});
