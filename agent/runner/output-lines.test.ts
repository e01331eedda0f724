import fc from 'fast-check';
import { expect, test } from 'vitest';
import { outputLines } from './output-lines.ts';

test.each([
  ['one line', 'a', ['a']],
  ['an empty line', '', ['']],
  ['a newline at the end', 'a\n', ['a']],
  ['several lines', 'a\nb\n\nc', ['a', 'b', '', 'c']],
  ['line ends of Windows', 'a\r\nb\r\n', ['a', 'b']],
  ['half a surrogate pair', 'a\ud83d', ['a\ufffd']],
])('%s', (_what, text, lines) => {
  expect(outputLines(text)).toEqual(lines);
});

test('a long line is cut between characters into lines of at most 16 KiB', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 6_000 }),
      (piece, times) => {
        const text = piece.replaceAll(/[\r\n]/g, '-').repeat(times);
        const lines = outputLines(text);
        expect(lines.join('')).toBe(text.toWellFormed());
        for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(16_384);
      },
    ),
    { numRuns: 60 },
  );
});
