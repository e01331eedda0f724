import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plain } from './plain.ts';

test('takes the power out of escape sequences, and keeps what is text', () => {
  expect(plain('a\u001b[2J\tb\r\nc\u009b1mä漢')).toBe('a\ufffd[2J\tb  c\ufffd1mä漢');
});

test('no text of a device can move the cursor', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = [...plain(text)].map((character) => character.codePointAt(0) ?? 0);
      expect(shown.every((point) => point === 9 || (point >= 32 && point < 127) || point > 159)).toBe(true);
    }),
  );
});
