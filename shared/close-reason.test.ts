import { expect, test } from 'vitest';
import { closeReason } from './close-reason.ts';

test.each(['', 'gone', 'x'.repeat(123), 'あ'.repeat(41)])('a reason with room is left as it is', (text) => {
  expect(closeReason(text)).toBe(text);
});

test.each([
  ['x'.repeat(124), 'x'.repeat(123)],
  ['あ'.repeat(100), 'あ'.repeat(41)],
  [`x${'😀'.repeat(50)}`, `x${'😀'.repeat(30)}`],
])('a longer one is cut between two characters', (text, cut) => {
  expect(closeReason(text)).toBe(cut);
});
